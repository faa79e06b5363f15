"""Clocks of the nodes of one run: how far each is from the others. What the nodes log cannot be put in order where they are apart."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.compare.traits import PREFIX
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding, Subject
from ansible_collections.gpu.fleet.plugins.module_utils.report.node import Node
from ansible_collections.gpu.fleet.plugins.module_utils.snapshot import seconds

KEY = "clock_ahead_s"  # of an observation, added by the controller

_RESOLUTION_S = 1.0  # of the time that an observation tells
_APART_S = 5.0  # certificates, tickets and the order of log lines suffer from more

Bounds = tuple[float, float]


def ahead(observation: Mapping[str, Any], asked: float, answered: float) -> Bounds | None:
    """Say by how many seconds a node's clock is ahead of the controller's, at least and at most; None where it told no time.

    It looked at its clock after it was `asked`, and before `answered` (both by the controller's clock) by what the probe took in between.
    """
    then = seconds(str(observation.get("measured_at")))
    if then is None:
        return None
    probe = observation.get("probe", {}).get("value") or {}
    return then - answered + float(probe.get("duration_s", 0.0)), then + _RESOLUTION_S - asked


def judge(nodes: Collection[Node]) -> dict[str, list[Finding]]:
    """Hold every node's clock against what most clocks agree on, the controller's own among them."""
    bounds = {node.name: _bounds(node) for node in nodes}
    agreed = agreement([(0.0, 0.0), *(each for each in bounds.values() if each)])
    return {name: [_of_node(About(f"{PREFIX}clock", Subject("node", name)), each, agreed)] for name, each in bounds.items()}


def agreement(clocks: Sequence[Bounds]) -> Bounds:
    """Return what lies within the bounds of most clocks (Marzullo's algorithm); where several do so, the one nearest to the first clock."""
    starts = sorted(low for low, _high in clocks)
    ends = sorted(high for _low, high in clocks)
    found = []
    for start in starts:
        holders = bisect_right(starts, start) - bisect_left(ends, start)  # begun by then, less those that were over
        found.append((-holders, abs(start - clocks[0][0]), (start, ends[bisect_left(ends, start)])))
    return min(found)[2]


def _of_node(about: About, bounds: Bounds | None, agreed: Bounds) -> Finding:
    if bounds is None:
        return about.skipped("the controller does not know when this node looked at its clock")
    ahead_of, behind = bounds[0] - agreed[1], agreed[0] - bounds[1]  # what is sure, whatever is true within the bounds
    apart = max(ahead_of, behind, 0.0)
    if apart <= _APART_S:
        return about.passed("the clock agrees with the others", observed=round(apart, 1), expected=0, source="the nodes of this run")
    return about.failed(
        f"found the clock at least {apart:.0f} s {'ahead of' if ahead_of > 0 else 'behind'} the others of this run, expected at most "
        f"{_APART_S:g} s: have a time daemon such as chronyd keep it, and see that it reaches its servers",
        observed=round(apart, 1),
        expected=0,
        source="the nodes of this run",
        action="investigate",
        kills_job=False,
    )


def _bounds(node: Node) -> Bounds | None:
    told = node.observation.get(KEY) if isinstance(node.observation, dict) else None
    try:
        least, most = map(float, told or ())
    except (TypeError, ValueError):
        return None
    return least, most
