"""Clocks of one run: who is apart is named by what is sure, however long the measurement took, and whoever's clock the controller has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.compare import clock
from ansible_collections.gpu.fleet.plugins.module_utils.finding import FAIL, PASS, SKIP
from unit.module_utils.compare.fleet_of import Seen, fleet

NEW_YEAR = 1767225600.0
SEEN = {"measured_at": "2026-01-01T00:00:00Z"}


def statuses(*ahead: Any) -> list[str]:
    nodes = [replace(node, observation={**node.observation, clock.KEY: each}) for node, each in zip(fleet(*[Seen()] * len(ahead)), ahead)]
    return [finding.status for findings in clock.judge(nodes).values() for finding in findings]


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        ([(-0.5, 1.5)] * 3, [PASS] * 3),
        ([(-0.5, 1.5), (-0.4, 1.2), (7.0, 9.0)], [PASS, PASS, FAIL]),
        ([(-0.5, 1.5), (-0.4, 1.2), (-9.0, -7.0)], [PASS, PASS, FAIL]),
        ([(100.0, 101.0), (100.5, 101.5), (99.0, 101.0)], [PASS] * 3),  # the controller's clock is the one that is wrong
        ([(-60.0, 2.0), (-61.0, 1.0), (9.0, 10.0)], [PASS, PASS, FAIL]),  # a slow check tells less, and that is heeded
        ([(-60.0, 61.0), (-61.0, 60.0), (-30.0, 90.0)], [PASS] * 3),
        ([(0.0, 1.0), (20.0, 21.0)], [PASS, FAIL]),  # of two, the controller's decides
        ([None, (0.0, 1.0), ["?"]], [SKIP, PASS, SKIP]),
    ],
)
def test_whose_clock_is_apart(ahead: list[Any], expected: list[str]) -> None:
    assert statuses(*ahead) == expected


def test_the_bounds_are_what_the_controller_can_know() -> None:
    assert clock.ahead(SEEN, NEW_YEAR - 1, NEW_YEAR + 2) == (-2.0, 2.0)
    probed = {**SEEN, "probe": {"value": {"duration_s": 60.0}}}
    assert clock.ahead(probed, NEW_YEAR - 1, NEW_YEAR + 62) == (-2.0, 2.0)
    assert clock.ahead({**SEEN, "probe": {"unreadable": "it hangs"}}, NEW_YEAR, NEW_YEAR + 1) == (-1.0, 1.0)
    assert clock.ahead({}, 0.0, 1.0) is None


def test_what_is_said_is_what_is_sure() -> None:
    nodes = [
        replace(node, observation={**node.observation, clock.KEY: each})
        for node, each in zip(fleet(*[Seen()] * 3), [(-60.0, 2.0), (-61.0, 1.0), (40.0, 42.0)])
    ]
    (finding,) = clock.judge(nodes)["n2"]
    assert "at least 40 s ahead of the others" in finding.message


@pytest.mark.parametrize(
    ("clocks", "agreed"),
    [
        ([(0.0, 0.0)], (0.0, 0.0)),
        ([(0.0, 0.0), (1.0, 5.0), (2.0, 6.0), (4.0, 9.0)], (4.0, 5.0)),
        ([(0.0, 0.0), (7.0, 9.0), (-9.0, -7.0)], (0.0, 0.0)),
        ([(0.0, 0.0), (0.0, 3.0), (8.0, 9.0), (9.0, 12.0)], (0.0, 0.0)),
    ],
)
def test_most_clocks_decide(clocks: list[clock.Bounds], agreed: clock.Bounds) -> None:
    assert clock.agreement(clocks) == agreed
