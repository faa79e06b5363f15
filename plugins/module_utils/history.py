"""What a node keeps of its checks: the last snapshot, and a short record of how the checks ended. Plain data; history_file.py stores it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import SOURCE
from ansible_collections.gpu.fleet.plugins.module_utils.finding import FAIL, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation, Snapshot
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from ansible_collections.gpu.fleet.plugins.module_utils.snapshot import driver_version, seconds, take

SCHEMA = 1
_MOST_RECORDS = 50
_MOST_FAILURES = 16
_MOST_LETTERS = 300


@dataclass(frozen=True)
class Failure:
    """One finding that would have killed a job."""

    check: str
    subject: str
    message: str


@dataclass(frozen=True)
class Record:
    """How checks ended; those in a row that ended alike are one record."""

    first_at: str  # UTC, as `last_at`
    last_at: str
    checks: int
    driver_version: str
    verdict: str
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class History:
    """What a node remembers."""

    schema: int
    snapshot: Reading[Snapshot]
    records: tuple[Record, ...]  # the oldest first
    repaired_at: str  # UTC: what failed before then has been repaired, somebody says; empty where nobody did


EMPTY = History(SCHEMA, Reading.unsupported("this is the first check that this node remembers"), (), "")


def after(history: History, observation: Observation, findings: Sequence[Finding], verdict: str, *, repaired: bool) -> History:
    """Add one check to the history."""
    failures = [Failure(finding.check, finding.subject.id, finding.message[:_MOST_LETTERS]) for finding in findings if _would_kill(finding)]
    now = observation.measured_at
    record = Record(now, now, 1, driver_version(observation), verdict, tuple(failures[:_MOST_FAILURES]))
    return History(
        schema=SCHEMA,
        snapshot=Reading.of(take(observation)),
        records=_added(history.records, record)[-_MOST_RECORDS:],
        repaired_at=now if repaired else history.repaired_at,
    )


def recent_failures(history: History, observation: Observation, window_s: float) -> list[Record]:
    """List the failures within the window that nobody repaired since, and that this driver has seen.

    Under another driver version the node is another one: it has been provisioned since.
    """
    now, repaired = seconds(observation.measured_at), seconds(history.repaired_at)
    driver = driver_version(observation)
    found = []
    for record in history.records:
        then = seconds(record.last_at)
        if not record.failures or record.driver_version != driver or now is None or then is None:
            continue
        # A clock that has been set back makes a record of the future; it is as near as one of the past.
        if abs(now - then) <= window_s and (repaired is None or then > repaired):
            found.append(record)
    return found


def problem(history: History) -> str:
    """Say what is wrong with a history that was read, empty where nothing is."""
    if history.schema != SCHEMA:
        return f"schema: found {history.schema}, expected {SCHEMA}"
    if history.snapshot.is_unreadable:
        return f"snapshot: {history.snapshot.why}"
    times = [time for record in history.records for time in (record.first_at, record.last_at)]
    times += [history.snapshot.value.measured_at] if history.snapshot.is_known else []
    times += [history.repaired_at] if history.repaired_at else []
    wrong = [time for time in times if seconds(time) is None]
    return f"found the time {wrong[0]!r}, expected one such as 2026-01-01T00:00:00Z" if wrong else ""


def _would_kill(finding: Finding) -> bool:
    # What only the inventory asks for is right as soon as the inventory is.
    return finding.status == FAIL and finding.kills_job and finding.source != SOURCE


def _added(records: tuple[Record, ...], record: Record) -> tuple[Record, ...]:
    last = records[-1] if records else None
    if last is None or _outcome(last) != _outcome(record):
        return (*records, record)
    return (*records[:-1], replace(record, first_at=last.first_at, checks=last.checks + 1))


def _outcome(record: Record) -> tuple[str, str, list[tuple[str, str]]]:
    return record.verdict, record.driver_version, [(failure.check, failure.subject) for failure in record.failures]
