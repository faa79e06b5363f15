"""What one process of an all-reduce across nodes does, with PyTorch and Gloo for real where that is told apart."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from pathlib import Path
from typing import Any

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


def test_no_process_tells_its_figure_before_all_are_done() -> None:
    store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    told: list[bool] = []

    def emit(message: dict[str, Any]) -> None:
        if "value" in message:
            told.append(store.check(["alone/all done"]))

    amount = across.Amount(bytes=1 << 12, measure_s=0.01, limit_s=30)
    try:
        across.measure(torch, torch.device("cpu"), across.Place("alone", 0, 1, "127.0.0.1", store.port, ""), amount, emit)
    finally:
        torch.distributed.destroy_process_group()
    assert told == [True]


def test_whoever_is_done_waits_for_the_last_one() -> None:
    store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    own = torch.distributed.TCPStore("127.0.0.1", store.port, is_master=False, wait_for_workers=False)
    first = threading.Thread(target=across._part, args=(own, 2, time.monotonic() + 30))
    first.start()
    first.join(0.3)
    assert first.is_alive()
    across._part(store, 2, time.monotonic() + 30)
    first.join(10)
    assert not first.is_alive()


@pytest.mark.parametrize("left_s", [-1, 0.2])
def test_whoever_does_not_come_keeps_nobody_from_telling_in_time(left_s: float) -> None:
    store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    began = time.monotonic()
    across._part(store, 2, began + left_s)
    assert time.monotonic() - began < 5


def test_rails_are_the_fastest_adapters_with_an_active_port(tmp_path: Path) -> None:
    def plug(name: str, *ports: tuple[str, str]) -> None:
        for number, (state, rate) in enumerate(ports, 1):
            port = tmp_path / name / "ports" / str(number)
            port.mkdir(parents=True)
            (port / "state").write_text(f"{state}\n")
            (port / "rate").write_text(f"{rate}\n")

    assert across.rails(tmp_path / "none") == []
    plug("mlx5_9", ("1: DOWN", "400 Gb/sec (4X NDR)"))
    assert across.rails(tmp_path) == []
    plug("mlx5_2", ("4: ACTIVE", "100 Gb/sec (4X EDR)"))
    assert across.rails(tmp_path) == ["mlx5_2"]
    plug("mlx5_1", ("4: ACTIVE", "400 Gb/sec (4X NDR)"))
    plug("mlx5_0", ("1: DOWN", "10 Gb/sec (4X)"), ("4: ACTIVE", "400 Gb/sec (4X NDR)"))
    plug("mlx5_8", ("2: INIT", "800 Gb/sec (4X XDR)"))
    plug("mlx5_7", ("4: ACTIVE", "2.5 Gb/sec (1X SDR)"))
    assert across.rails(tmp_path) == ["mlx5_0", "mlx5_1"]


def test_the_library_of_infiniband_is_here_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"libibverbs.so.1"}

    def load(name: str) -> None:
        if name not in here:
            raise OSError(f"{name}: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(ctypes, "CDLL", load)
    assert across.has_verbs()
    here.clear()
    assert not across.has_verbs()
