"""The node's memory: how it grows, how little it keeps, and what damps the verdict."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.history import EMPTY, History, after, problem, recent_failures
from ansible_collections.gpu.fleet.plugins.module_utils.judge.history import recent
from ansible_collections.gpu.fleet.plugins.module_utils.observation import KernelModule
from ansible_collections.gpu.fleet.plugins.module_utils.plain import from_plain, to_plain
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from ansible_collections.gpu.fleet.plugins.module_utils.verdict import verdict
from unit.module_utils.healthy_node import broken, judged, known, observation

HOUR = 3600.0
LOST = {3: {"state": known("lost")}}


def at(time: str, **changes: Any) -> Any:
    return observation(measured_at=f"2026-01-01T{time}:00Z", **changes)


def remembered(*checks: Any, expectation: dict[str, Any] | None = None, repaired: bool = False) -> History:
    history = EMPTY
    for seen in checks:
        findings, concluded = judged(seen, expectation, active=False)
        history = after(history, seen, findings, concluded, repaired=repaired)
    return history


def concluded(seen: Any, history: History, window_s: float = HOUR) -> tuple[str, str]:
    """The status of the history's finding, and the node's verdict with it."""
    findings, _verdict = judged(seen, active=False)
    found = recent(seen, findings, history, window_s)
    return found.status, verdict([*findings, found])


def test_checks_that_end_alike_are_one_record() -> None:
    history = remembered(*(at(f"{hour:02}:00") for hour in range(12)))
    (record,) = history.records
    assert (record.first_at, record.last_at, record.checks) == ("2026-01-01T00:00:00Z", "2026-01-01T11:00:00Z", 12)
    assert (record.verdict, record.failures) == ("ready", ())


def test_the_history_stays_small_however_a_node_flaps() -> None:
    seen = [at(f"{turn // 60:02}:{turn % 60:02}", gpus=LOST if turn % 2 else {}) for turn in range(300)]
    history = remembered(*seen)
    assert len(history.records) == 50
    assert history.records[-1].last_at == "2026-01-01T04:59:00Z"
    everything_lost = remembered(at("00:00", gpus={index: {"state": known("lost")} for index in range(8)}))
    assert len(json.dumps(to_plain(replace(everything_lost, records=everything_lost.records * 50)))) < 1 << 20


def test_a_history_is_replayed_as_it_was() -> None:
    history = remembered(at("00:00"), at("00:05", gpus=LOST), repaired=True)
    assert from_plain(History, json.loads(json.dumps(to_plain(history)))) == history
    assert not problem(history)


def test_a_node_that_failed_lately_and_passes_now_is_degraded_with_its_record() -> None:
    history = remembered(at("00:00"), at("00:10", gpus=LOST), at("00:15"))
    findings, _verdict = judged(at("00:20"), active=False)
    found = recent(at("00:20"), findings, history, HOUR)
    assert verdict([*findings, found]) == "degraded"
    assert (found.status, found.kills_job, found.action) == ("fail", False, "investigate")
    assert "the last at 2026-01-01T00:10:00Z (gpu_answers of 00000000:61:00.0: " in found.message
    assert found.observed[0]["failures"][0]["check"] == "gpu_answers"


@pytest.mark.parametrize(
    ("then", "now", "window_s", "expected"),
    [
        ("00:10", "01:09", HOUR, ("fail", "degraded")),
        ("00:10", "01:11", HOUR, ("pass", "ready")),
        ("00:10", "00:11", 0.0, ("skip", "ready")),
        ("00:30", "00:10", HOUR, ("fail", "degraded")),
        ("09:00", "00:10", HOUR, ("pass", "ready")),
    ],
    ids=["within the window", "after it", "damping off", "the clock was set back a little", "the clock was far ahead"],
)
def test_the_window(then: str, now: str, window_s: float, expected: tuple[str, str]) -> None:
    assert concluded(at(now), remembered(at(then, gpus=LOST)), window_s) == expected


def test_a_first_check_has_nothing_to_say() -> None:
    assert concluded(at("00:00"), EMPTY) == ("skip", "ready")


def test_a_node_that_still_fails_is_judged_by_what_fails() -> None:
    assert concluded(at("00:20", gpus=LOST), remembered(at("00:10", gpus=LOST))) == ("skip", "not_ready")


def test_damping_does_not_feed_on_itself() -> None:
    history = remembered(at("00:00", gpus=LOST))
    for minutes in ("00:20", "00:40", "00:59"):
        findings, _verdict = judged(at(minutes), active=False)
        found = recent(at(minutes), findings, history, HOUR)
        history = after(history, at(minutes), findings, verdict([*findings, found]), repaired=False)
    assert concluded(at("01:01"), history) == ("pass", "ready")


@pytest.mark.parametrize(
    ("failed", "expectation"),
    [
        (at("00:10", gpus={3: {"temperature_c": known(95)}}), {}),
        (at("00:10", kernel_log=broken), {}),
        (at("00:10"), {"gpu_count": 9}),
        (at("00:10", nvml={"driver_version": known("535.261.03")}, gpus=LOST), {}),
        (at("00:10", nvml={"driver_version": broken, "status": known("DRIVER_NOT_LOADED"), "gpus": broken}), {}),
    ],
    ids=["no job would have died", "it could not be told", "the inventory was wrong", "under another driver", "before it had a driver"],
)
def test_what_does_not_damp(failed: Any, expectation: dict[str, Any]) -> None:
    history = remembered(failed, expectation=expectation)
    assert concluded(at("00:20"), history) == ("pass", "ready")


def test_a_driver_that_stopped_answering_damps() -> None:
    """The kernel module still tells its version when NVML does not start."""
    module = known(KernelModule("570.124.06", "open"))
    down = {"driver_version": broken, "status": known("GPU_IS_LOST"), "gpus": broken}
    assert concluded(at("00:20"), remembered(at("00:10", nvml=down, kernel_module=module))) == ("fail", "degraded")


def test_a_recorded_repair_ends_the_damping() -> None:
    history = remembered(at("00:10", gpus=LOST))
    repaired = after(history, at("00:15"), [], "ready", repaired=True)
    assert recent_failures(repaired, at("00:20"), HOUR) == []
    again = after(repaired, at("00:25", gpus=LOST), judged(at("00:25", gpus=LOST), active=False)[0], "not_ready", repaired=False)
    assert [record.last_at for record in recent_failures(again, at("00:30"), HOUR)] == ["2026-01-01T00:25:00Z"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "schema: found 2, expected 1"),
        ({"snapshot": Reading.unreadable("another shape")}, "snapshot: another shape"),
        ({"repaired_at": "yesterday"}, "found the time 'yesterday'"),
    ],
)
def test_what_is_no_history_is_named(change: dict[str, Any], message: str) -> None:
    assert message in problem(replace(EMPTY, **change))
