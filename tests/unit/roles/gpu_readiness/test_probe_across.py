"""What one process of an all-reduce across nodes does, with PyTorch and Gloo for real where that is told apart."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).parents[4] / "roles/gpu_readiness/files/probe"))

import across  # noqa: E402 - of the probe, after the path


def test_what_is_measured_is_a_sum_which_nccl_does_its_fastest_way_and_stays_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    ranks = 8000

    def all_reduce(data: torch.Tensor) -> None:  # of as many processes that hold the same; another operation is no argument of it
        data.mul_(ranks)

    monkeypatch.setattr(torch.distributed, "all_reduce", all_reduce)
    data = torch.randn(1000, dtype=torch.bfloat16)
    for _ in range(60):
        assert across._time(torch, torch.device("cpu"), data, ranks) > 0
    assert data.isfinite().all()
    assert data.abs().max() > 0.1
