"""Which GPUs a user's server gets."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

PATH = Path(__file__).parents[4] / "roles/jupyter_hub/files/gpus.py"
specification = importlib.util.spec_from_file_location("jupyter_hub_gpus", PATH)
gpus = importlib.util.module_from_spec(specification)
sys.modules["jupyter_hub_gpus"] = gpus
specification.loader.exec_module(gpus)

# Printed by nvidia-smi 570: two whole GPUs, and one in slices.
LISTED = """\
GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-00000000-0000-0000-0000-000000000000)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-11111111-1111-1111-1111-111111111111)
GPU 2: NVIDIA H100 80GB HBM3 (UUID: GPU-22222222-2222-2222-2222-222222222222)
  MIG 1g.10gb     Device  0: (UUID: MIG-aaaaaaaa-0000-0000-0000-000000000000)
  MIG 2g.20gb     Device  1: (UUID: MIG-bbbbbbbb-0000-0000-0000-000000000000)
"""
DEVICES = gpus.parse(LISTED)
FIRST, SECOND = (device.uuid for device in DEVICES[:2])
NONE, ONE, TWO, ALL = ({"name": name, "gpus": count} for name, count in (("none", 0), ("one", 1), ("two", 2), ("all", "all")))
SLICE = {"name": "slice", "gpus": 1, "mig": "1g.10gb"}


def names(profile: dict[str, Any], taken: tuple[str, ...] = (), limit: int = 8) -> list[str]:
    return [device.name for device in gpus.choose(profile, DEVICES, taken, limit)]


def test_a_gpu_in_slices_is_its_slices() -> None:
    assert [(device.name, device.kind) for device in DEVICES] == [("0", ""), ("1", ""), ("2:0", "1g.10gb"), ("2:1", "2g.20gb")]


def test_nothing_that_is_listed_is_nothing() -> None:
    assert gpus.parse("No devices found.\n") == []


@pytest.mark.parametrize(
    ("profile", "taken", "expected"),
    [
        (NONE, (FIRST, SECOND), []),
        (ONE, (), ["0"]),
        (ONE, (FIRST,), ["1"]),
        (TWO, (), ["0", "1"]),
        (ALL, (), ["0", "1"]),
        (SLICE, (FIRST, SECOND), ["2:0"]),
        # What somebody has that is no longer there takes nothing from others.
        (ALL, ("GPU-gone",), ["0", "1"]),
    ],
)
def test_a_server_gets_what_nobody_has(profile: dict[str, Any], taken: tuple[str, ...], expected: list[str]) -> None:
    assert names(profile, taken) == expected


@pytest.mark.parametrize(
    ("profile", "taken", "limit", "says"),
    [
        (TWO, (FIRST,), 8, "two: 1 of 2 GPUs are free, and 2 are needed"),
        (ALL, (FIRST,), 8, "all: 1 of 2 GPUs are free, and 2 are needed"),
        (TWO, (), 1, "two: that is 2, and your limit is 1"),
        (ALL, (), 1, "all: that is 2, and your limit is 1"),
        ({**SLICE, "mig": "7g.80gb"}, (), 8, "slice: this node has no slices 7g.80gb"),
    ],
)
def test_a_refusal_tells_the_user_why(profile: dict[str, Any], taken: tuple[str, ...], limit: int, says: str) -> None:
    with pytest.raises(gpus.NoGpusError, match=says):
        names(profile, taken, limit)


def test_no_gpu_on_the_node_is_no_gpu_for_all() -> None:
    with pytest.raises(gpus.NoGpusError, match="this node has no GPUs"):
        gpus.choose(ALL, [], (), 8)


@pytest.mark.parametrize(("limit", "expected"), [(8, ["none", "one", "two", "all", "slice"]), (1, ["none", "one", "slice"]), (0, ["none"])])
def test_only_what_can_be_had_is_offered(limit: int, expected: list[str]) -> None:
    profiles = [NONE, ONE, TWO, {"name": "three", "gpus": 3}, ALL, SLICE, {"name": "other", "gpus": "all", "mig": "7g.80gb"}]
    assert [profile["name"] for profile in gpus.offered(profiles, DEVICES, limit)] == expected
