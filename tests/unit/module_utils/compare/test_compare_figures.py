"""Measured rates against the fleet's median: who is slow is named, and nobody else, however the healthy ones scatter."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.compare.figures import gate
from ansible_collections.gpu.fleet.plugins.module_utils.observation_probe import HostCopies
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.module_utils.compare.fleet_of import UNKNOWN, Seen, differing, fleet, on_all
from unit.module_utils.healthy_node import address, known
from unit.module_utils.healthy_probe import collectives, cpu_probe, matmul, probe, rank


def measured(*tflops: float, busbw: float = 470.0, unknown: bool = False, **of_matmul: Any) -> Seen:
    """Make a node whose GPUs have these speeds; the last one is that of all others."""
    speeds = [tflops[min(index, len(tflops) - 1)] for index in range(8)]
    ranks = tuple(rank(index, matmul=known(matmul(tflops=speed, **of_matmul))) for index, speed in enumerate(speeds))
    changes: dict[str, Any] = {"probe": known(probe(ranks=ranks, collectives=collectives(busbw_gb_s=busbw), image=known("sha256:1")))}
    expected = {"straggler_percent": 8}  # so that this node's own check lets pass what the fleet's finds
    return Seen({**changes, "gpus": on_all(**UNKNOWN)} if unknown else changes, expected)


def links(to_device: float) -> Seen:
    """Make a node whose GPUs have such links to the host."""
    each = known(HostCopies(to_device, 52.0, 128 << 20, 0, correct=True))
    return Seen({"probe": known(probe(ranks=tuple(rank(index, host=each) for index in range(8)), image=known("sha256:1")))})


ROWS: dict[str, tuple[list[Seen], set[tuple[str, str, str]]]] = {
    "alike": ([measured(780)] * 3, set()),
    "healthy scatter": ([measured(760, 785, 790, 770), measured(795, 781), measured(775, 766, 800)], set()),
    "one slow GPU that its table's gate lets pass": ([measured(780), measured(720, 780)], {("n1", "matmul", address(0))}),
    "one slow GPU that its table's gate finds is said once": ([measured(780), measured(700, 780)], set()),
    "a slow node": ([measured(780, busbw=470), measured(780, busbw=468), measured(780, busbw=430)], {("n2", "allreduce", "node1")}),
    "all-reduces of two nodes are too few": ([measured(780, busbw=470), measured(780, busbw=430)], set()),
    "another size is another thing": ([measured(780), measured(780), measured(730, size=4096)], set()),
    "a whole slow node of unknown GPUs": (
        [measured(780, unknown=True), measured(785, unknown=True), measured(500, unknown=True)],
        {("n2", "matmul", address(index)) for index in range(8)},
    ),
    "a node whose links to the host are slow": (
        [links(54.0), links(54.0), links(48.0)],
        {("n2", "host_to_device", address(index)) for index in range(8)},
    ),
    "what a CPU does is no measure": (
        [
            Seen({"probe": known(cpu_probe(ranks=(rank(0, matmul=known(matmul(tflops=speed))),)))}, {"probe_device": "cpu"})
            for speed in (1.0, 5.0, 9.0)
        ],
        set(),
    ),
}


@pytest.mark.parametrize(("nodes", "expected"), ROWS.values(), ids=ROWS)
def test_who_is_slow_is_named(nodes: list[Seen], expected: set[tuple[str, str, str]]) -> None:
    found = fleet(*nodes)
    assert differing(found) == expected
    for node in found:
        if any(name == node.name for name, _, _ in expected):
            assert node.verdict == "degraded"


def test_for_a_gpu_that_no_table_knows_this_is_the_gate_and_it_says_so() -> None:
    slow = fleet(measured(780, unknown=True), measured(785, unknown=True), measured(500, unknown=True))[2].wrong[0]
    assert "found 500 TFLOP/s, expected at least 741 TFLOP/s by the median 780 TFLOP/s of 24 figures on 3 nodes" in slow.message
    assert "which the reference table does not know: this is its gate" in slow.message
    alone = fleet(Seen({"gpus": on_all(**UNKNOWN)}), measured(780))[0]
    told = {finding.check: finding for finding in alone.findings}["fleet_matmul"]
    assert told.status == "skip"
    assert "so nothing gates it" in told.message


@pytest.mark.parametrize(
    ("values", "nodes", "minimum"),
    [
        ([], 0, None),
        ([1.0, 1.0], 2, None),
        ([1.0, 1.0, 1.0], 1, None),
        ([100.0, 100.0, 100.0], 2, 95.0),  # without any scatter, 5 % are allowed
        ([100.0, 98.0, 102.0], 3, 100 - 2 * 1.4826 * 5),  # five deviations
        ([100.0, 50.0, 150.0], 3, 70.0),  # and never more than 30 %
        ([0.0, 0.0, 0.0], 3, 0.0),
    ],
)
def test_the_gate(values: list[float], nodes: int, minimum: float | None) -> None:
    found = gate(values, nodes)
    assert (found.minimum if found else None) == (None if minimum is None else pytest.approx(minimum))


@pytest.mark.parametrize("seed", range(5))
def test_no_healthy_gpu_of_a_large_fleet_is_named(seed: int) -> None:
    dice = Random(seed)
    values = [dice.gauss(780, 12) for _ in range(8 * 10_000)]
    found = gate(values, 10_000)
    assert found is not None
    assert min(values) >= found.minimum
    assert found.minimum >= 0.9 * 780


figures = st.lists(st.floats(1, 1e4), min_size=3, max_size=40)


@settings(max_examples=300, deadline=None)
@given(figures, st.floats(1e-3, 1e3))
def test_the_unit_does_not_matter(values: list[float], factor: float) -> None:
    one, other = gate(values, 3), gate([value * factor for value in values], 3)
    assert one is not None
    assert other is not None
    assert other.minimum == pytest.approx(one.minimum * factor)


@settings(max_examples=300, deadline=None)
@given(figures)
def test_the_gate_lies_below_the_median_and_is_one_that_can_fail(values: list[float]) -> None:
    found = gate(values, 3)
    assert found is not None
    assert 0.7 * found.middle <= found.minimum * 1.000001
    assert found.minimum <= 0.95 * found.middle * 1.000001
    assert sum(value >= found.minimum for value in values) * 2 >= len(values), "never most of them"


@settings(max_examples=300, deadline=None)
@given(figures, st.integers(0, 39), st.floats(0, 0.69))
def test_one_very_slow_value_is_always_found(values: list[float], place: int, part: float) -> None:
    alike = [100 + value / 1e4 for value in values]  # within 1 %
    alike[place % len(alike)] = 100 * part
    found = gate(alike, 3)
    assert found is not None
    assert sorted(value for value in alike if value < found.minimum) == [100 * part]
