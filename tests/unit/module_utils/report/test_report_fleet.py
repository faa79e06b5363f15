"""The gate, the counts, the order and what is wrong across nodes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.report import words
from ansible_collections.gpu.fleet.plugins.module_utils.report.fleet import problems
from ansible_collections.gpu.fleet.plugins.module_utils.report.gate import judge
from ansible_collections.gpu.fleet.plugins.module_utils.report.node import Node, never_measured
from unit.module_utils.report.builders import finding, fleet, lost, node, readiness, speed


def not_ready(name: str = "gpu-02") -> Node:
    return node(name, readiness=readiness("not_ready", lost()))


def test_the_gate_accepts_what_the_site_accepts() -> None:
    degraded = node(readiness=readiness("degraded", finding("fail")))
    assert judge(node(), ["ready"]).accepted
    assert not judge(degraded, ["ready"]).accepted
    assert judge(degraded, ["ready", "degraded"]).accepted


@pytest.mark.parametrize("verdict", ["ready", "degraded", "not_ready", "unknown"])
@pytest.mark.parametrize("expected", ["ready", "degraded", "not_ready", "unknown"])
def test_an_expected_verdict_is_the_only_one_accepted(verdict: str, expected: str) -> None:
    found = replace(node(), verdict=verdict, expected_verdict=expected)
    assert judge(found, ["ready", "degraded"]).accepted is (verdict == expected)


def test_an_expected_verdict_that_is_none_is_never_met() -> None:
    assert "expected redy" in judge(replace(node(), expected_verdict="redy"), ["ready"]).message


def test_the_gate_says_node_verdict_findings_and_next_step() -> None:
    message = judge(
        node("gpu-02", readiness=readiness("not_ready", *[lost(check=f"c{number}") for number in range(5)])), ["ready", "degraded"]
    ).message
    assert message.startswith("gpu-02 is not ready, expected ready or degraded. c0 (node): found 7 GPUs, expected 8: look for")
    assert message.endswith("[reboot]; and 2 more findings in the report")


def test_a_fault_that_was_expected_and_not_found_is_told() -> None:
    assert "no finding speaks against it" in judge(replace(node(), expected_verdict="not_ready"), ["ready"]).message


def test_an_unreachable_node_is_refused() -> None:
    gate = judge(node("gpu-03", unreachable="No route to host"), ["ready"])
    assert not gate.accepted
    assert "gpu-03 is unknown" in gate.message
    assert "No route to host" in gate.message


def test_the_gate_is_for_the_nodes_of_this_run() -> None:
    found = fleet(node(), never_measured("gpu-02"), not_ready("gpu-03"))
    assert set(found.gates) == {"gpu-01", "gpu-03"}
    assert [each.name for each in found.refused] == ["gpu-03"]


def test_counts_and_summary() -> None:
    found = fleet(node("a"), node("b"), not_ready("c"), never_measured("d"))
    assert found.counts == {"ready": 2, "degraded": 0, "unknown": 1, "not_ready": 1}
    assert (found.in_run, found.worst) == (3, "not_ready")
    assert found.summary() == "4 nodes: 2 ready, 1 unknown, 1 not ready"


def test_the_node_to_look_at_first_is_first() -> None:
    expected = replace(not_ready("gpu-1"), expected_verdict="not_ready")
    surprise = replace(node("gpu-3"), expected_verdict="not_ready")
    names = [
        each.name for each in fleet(node("gpu-10"), node("gpu-9"), surprise, expected, not_ready("gpu-2"), never_measured("gpu-4")).nodes
    ]
    assert names == ["gpu-2", "gpu-3", "gpu-1", "gpu-4", "gpu-9", "gpu-10"]


def test_the_same_trouble_on_many_nodes_is_one_problem() -> None:
    slow = [node(f"slow-{number}", readiness=readiness("degraded", speed(600, 0), speed(601, 1))) for number in range(3)]
    found = problems([node(), *slow, not_ready(), node("off", unreachable="no route")])
    assert [(each.check, len(each.nodes), each.findings) for each in found] == [("gpu_count", 1, 1), ("reach", 1, 1), ("matmul", 3, 6)]
    assert found[2].nodes == ("slow-0", "slow-1", "slow-2")


def test_names_sort_as_people_count() -> None:
    assert sorted(["gpu-10", "gpu-9", "GPU-1", "rack2-gpu1", "2", "²"], key=words.natural) == [
        "2",
        "GPU-1",
        "gpu-9",
        "gpu-10",
        "rack2-gpu1",
        "²",
    ]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (None, ""),
        (True, "yes"),
        (8, "8"),
        (3.14159, "3.14"),
        (0.03, "0.03"),
        (712.34, "712.3"),
        (1e20, "100,000,000,000,000,000,000"),
        (-5.0, "-5"),
        ("NVIDIA H100", "NVIDIA H100"),
        ([1, "a"], "1, a"),
        ([], ""),
        ({"value": 2680, "unit": "GB/s"}, "2,680 GB/s"),
        ({"minimum": 635.0, "unit": "TFLOP/s"}, "≥ 635 TFLOP/s"),
        ({"maximum": 83, "unit": "°C"}, "≤ 83 °C"),
        ({"minimum": 1, "maximum": 2, "unit": ""}, "≥ 1 and ≤ 2"),
        ({"pending": False, "rows": 2}, "pending no, rows 2"),
        ({"deep": {"er": 1}}, '{"deep": {"er": 1}}'),
    ],
)
def test_values_are_written_for_people(given: object, text: str) -> None:
    assert words.value(given) == text
