"""Errors that are older than a device's last recovery do not count, and nothing else is forgiven."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils import recovery
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Host, Observation, Recovery
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from ansible_collections.gpu.fleet.plugins.module_utils.snapshot import take
from unit.module_utils.healthy_node import address, broken, judged, known, log, observation, snapshot, xid

FALLEN = xid(79)  # of GPU 3, 10 s after the start
ASKS = {3: {"recovery_action": known(1)}}


def seen(*events: Any, **changes: Any) -> Observation:
    return observation(kernel_log=known(log(*events)), **changes)


def xid_status(checked: Observation) -> list[tuple[str, str]]:
    findings, _verdict = judged(checked, active=False)
    return [(finding.status, finding.subject.id) for finding in findings if finding.check == "xid"]


def booted(boot_id: Reading[str]) -> Host:
    return replace(observation().host, boot_id=boot_id)


def test_an_error_counts_until_a_recovery_is_recorded() -> None:
    assert xid_status(seen(FALLEN)) == [("fail", address(3))]
    repaired = recovery.declared(seen(FALLEN))
    assert xid_status(repaired) == [("pass", "node1")]
    later = seen(FALLEN, previous=known(take(repaired)))
    assert xid_status(later) == [("pass", "node1")]
    much_later = seen(FALLEN, previous=known(take(later)))
    assert xid_status(much_later) == [("pass", "node1")]


def test_an_error_after_the_recovery_counts() -> None:
    previous = known(take(recovery.declared(seen(FALLEN))))
    assert xid_status(seen(replace(FALLEN, count=2, last_s=500.0), previous=previous)) == [("fail", address(3))]
    assert xid_status(seen(FALLEN, xid(48, index=5), previous=previous)) == [("fail", address(5))]


def test_the_journal_may_date_the_same_line_a_moment_later() -> None:
    previous = known(take(recovery.declared(seen(FALLEN))))
    assert xid_status(seen(replace(FALLEN, last_s=10.4), previous=previous)) == [("pass", "node1")]


def test_a_recovery_is_of_one_boot() -> None:
    previous = known(snapshot(recoveries=(Recovery("b00t", address(3), 10.0),)))
    assert xid_status(seen(FALLEN, previous=previous, host=booted(known("another")))) == [("fail", address(3))]
    assert xid_status(seen(FALLEN, previous=previous, host=booted(broken))) == [("fail", address(3))]
    assert take(seen(previous=previous, host=booted(known("another")))).recoveries == ()
    assert take(seen(previous=previous, host=booted(broken))).recoveries == previous.value.recoveries


def test_a_gpu_that_asked_for_a_reset_and_asks_no_more_has_been_reset() -> None:
    before = take(seen(FALLEN, gpus=ASKS))
    assert before.recovery_asked == (address(3),)
    after = seen(FALLEN, previous=known(before))
    assert xid_status(after) == [("pass", "node1")]
    assert xid_status(seen(FALLEN, previous=known(take(after)))) == [("pass", "node1")]


def test_one_that_still_asks_or_does_not_answer_has_not() -> None:
    before = known(take(seen(FALLEN, gpus=ASKS)))
    assert xid_status(seen(FALLEN, previous=before, gpus=ASKS)) == [("fail", address(3))]
    silent = seen(FALLEN, previous=before, gpus={3: {"recovery_action": broken}})
    assert xid_status(silent) == [("fail", address(3))]
    assert take(silent).recovery_asked == (address(3),)
    assert xid_status(seen(FALLEN, previous=known(take(silent)))) == [("pass", "node1")]


def test_a_log_that_is_closed_once_loses_no_recovery() -> None:
    before = known(take(recovery.declared(seen(FALLEN))))
    blind = observation(kernel_log=broken, previous=before)
    assert xid_status(seen(FALLEN, previous=known(take(blind)))) == [("pass", "node1")]


def test_a_line_that_nobody_understands_is_not_forgiven() -> None:
    strange = observation(kernel_log=known(log(FALLEN, not_understood=("NVRM: Xid in a new form",))))
    assert xid_status(recovery.declared(strange)) == [("error", "node1")]
