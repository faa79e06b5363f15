"""Plots: one per measured quantity, with its gate, honest at any size."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.report import frame, plot, series
from ansible_collections.gpu.fleet.plugins.module_utils.report.fleetmap import fleet_map
from ansible_collections.gpu.fleet.plugins.module_utils.report.node import Node
from unit.module_utils.report.builders import finding, node, readiness, speed


def fast(name: str, *findings: dict[str, Any]) -> Node:
    return node(name, readiness=readiness("ready", *(findings or [speed(700 + index, index) for index in range(8)])))


def drawn(*nodes: Node) -> plot.Figure:
    (only,) = series.measured(nodes)
    return plot.figure(only)


def marks(figure: plot.Figure, name: str) -> list[ET.Element]:
    return [element for element in ET.fromstring(figure.svg).iter() if name in element.get("class", "").split()]


def test_every_quantity_has_its_series_in_the_order_of_names() -> None:
    heat = finding(
        check="temperature",
        subject={"kind": "gpu", "id": "x", "index": 1},
        observed={"value": 40, "unit": "degrees Celsius"},
        expected=None,
    )
    found = series.measured([fast("gpu-10"), fast("gpu-9", speed(700), heat), node("none")])
    assert [(each.check, each.unit, [column.node for column in each.columns]) for each in found] == [
        ("matmul", "TFLOP/s", ["gpu-9", "gpu-10"]),
        ("temperature", "°C", ["gpu-9"]),
    ]


def test_the_same_check_in_two_units_is_two_plots() -> None:
    odd = speed(5, 1, observed={"value": 5, "unit": "GB/s"})
    assert len(series.measured([fast("a", speed(700), odd)])) == 2


def test_a_dot_per_gpu_the_gate_and_what_fails_seen_without_colour() -> None:
    figure = drawn(fast("gpu-01"), fast("gpu-02", speed(600), speed(700, 1)))
    dots = marks(figure, "dot")
    assert len(dots) == 10
    assert [dot.tag.rsplit("}", 1)[-1] for dot in dots].count("path") == 1
    assert len(marks(figure, "gate")) == 1
    assert "≥ 635 TFLOP/s · 80 % of 794" in "".join(marks(figure, "gate-label")[0].itertext())
    assert "gpu-02 · GPU 0 (00000000:10:00.0): 600 TFLOP/s, fail" in figure.svg
    assert figure.missed == "1 of 10 fail"
    assert figure.gate == "gate ≥ 635 TFLOP/s: 80 % of 794"
    assert figure.spread == "median 702.5, 600 to 707, 10 values on 2 nodes"


def test_without_a_gate_none_is_drawn_and_that_is_said() -> None:
    figure = drawn(fast("gpu-01", speed(1.0, minimum=None), speed(1.0, 1, minimum=None)))
    assert not marks(figure, "gate")
    assert (figure.gate, figure.missed) == ("no gate", "")


def test_nodes_with_other_gates_have_their_own() -> None:
    figure = drawn(fast("a"), fast("b", speed(300, minimum=200)), fast("c"))
    lines = [(line.get("x1"), line.get("x2"), line.get("y1")) for line in marks(figure, "gate")]
    assert len(lines) == 3
    assert lines[0][1] == lines[1][0]
    assert lines[0][2] == lines[2][2] != lines[1][2]


def test_a_maximum_is_tinted_above() -> None:
    hot = finding(
        check="t", subject={"kind": "gpu", "id": "x"}, observed={"value": 40, "unit": "°C"}, expected={"maximum": 83, "unit": "°C"}
    )
    figure = drawn(fast("a", hot))
    beyond, gate = marks(figure, "beyond")[0], marks(figure, "gate")[0]
    assert float(beyond.get("y", 0)) + float(beyond.get("height", 0)) == pytest.approx(float(gate.get("y1", 0)), abs=0.2)


@pytest.mark.parametrize(
    "values", [[0.0], [5.0, 5.0], [-3.0, 3.0], [1e-9, 2e-9], [1e12, 2e12], [0.0, 0.0], [1e-300, 5e-324], [-9e17, 9e17], [9e17, 9e17]]
)
def test_any_values_fit_the_frame(values: list[float]) -> None:
    figure = drawn(fast("a", *[speed(value, index, minimum=None) for index, value in enumerate(values)]))
    assert all(0 <= float(dot.get("cy", -1)) <= 220 for dot in marks(figure, "dot"))
    assert marks(figure, "tick")


@pytest.mark.parametrize(("low", "high"), [(0, 1), (595, 750), (-1, 1), (1e-6, 2e-6), (0, 83), (999_999, 1_000_001)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    found = frame.ticks(low, high)
    assert 2 <= len(found) <= 7
    assert all(low <= tick <= high for tick in found)


def test_a_large_fleet_has_bands_outliers_and_a_distribution_in_little_space() -> None:
    nodes = [fast(f"gpu-{number:04d}", *[speed(700 + (number * 7 + index) % 20, index) for index in range(8)]) for number in range(1000)]
    figure = drawn(*nodes, fast("slow", speed(600)))
    assert len(marks(figure, "band")) == 2
    assert len(marks(figure, "dot")) == 1
    assert marks(figure, "count")
    assert len(figure.svg) < 40_000
    assert figure.missed == "1 of 8,001 fail"


def test_outliers_are_limited_and_stay_spread() -> None:
    figure = drawn(*[fast(f"gpu-{number}", speed(600)) for number in range(1000)])
    places = [float(dot.get("d", "")[1:].split()[0]) for dot in marks(figure, "dot")]
    assert 200 <= len(places) <= 300
    assert max(places) - min(places) > 800


def test_hostile_names_do_not_leave_the_text() -> None:
    figure = drawn(fast("<script>x</script>", speed(600, source="</svg><script>", check="<b>")))
    assert "<script" not in figure.svg
    ET.fromstring(figure.svg)


def test_quantiles_and_histogram() -> None:
    assert series.quantile([1, 2, 3], 0.5) == 2
    assert series.quantile([1], 0.95) == 1
    assert series.histogram([0, 1, 1, 9], 0, 10, 2) == [3, 1]
    assert sum(series.histogram([0, 5, 10], 0, 10, 3)) == 3


def test_the_map_has_a_cell_per_node_and_merges_where_they_are_many() -> None:
    few = [node(f"gpu-{number}") for number in range(40)]
    cells = list(ET.fromstring(fleet_map(few)).iter("rect"))
    assert len(cells) == 40
    many = [node(f"gpu-{number}") for number in range(3000)] + [node("off", unreachable="<no>")]
    svg = fleet_map(many)
    assert len(svg) < 10_000
    assert "off: unknown" in svg
