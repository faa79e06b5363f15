"""One node of the report: its verdict, why, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ansible_collections.gpu.fleet.plugins.module_utils.finding import PASS, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.verdict import DEGRADED, NOT_READY, READY, UNKNOWN

from . import identity, redact, words
from .findings import COST, is_wrong, read, severity, trouble

VERDICTS: Final = (NOT_READY, UNKNOWN, DEGRADED, READY)  # the worst first
RECORD_SCHEMA: Final = 1


class UnreadableError(ValueError):
    """A stored result that this report cannot read."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node with its latest result."""

    name: str
    verdict: str
    findings: tuple[Finding, ...]  # the first is the one to read first
    in_run: bool
    measured_at: str  # ISO time of this result; "" where there never was one
    expected_verdict: str  # "" where the inventory expects none
    hardware: identity.Hardware
    observation: Any  # as the node gave it: redacted where it is written

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """The findings that somebody has to look at."""
        return tuple(finding for finding in self.findings if is_wrong(finding))

    @property
    def headline(self) -> str:
        """What to say of it in one sentence."""
        if self.wrong:
            return f"{self.wrong[0].check}: {self.wrong[0].message}"
        passed = len({finding.check for finding in self.findings if finding.status == PASS})
        return f"{words.count(passed, 'check')} passed" if passed else "nothing was measured"

    @property
    def actions(self) -> tuple[str, ...]:
        """What the findings ask for, the costliest first."""
        asked = {finding.action for finding in self.wrong} - {"none"}
        return tuple(sorted(asked, key=lambda action: -COST[action]))

    def age(self, now: datetime) -> str:
        """Say that and how the result is not of this run; "" where it is."""
        if self.in_run:
            return ""
        if not self.measured_at:
            return "not in this run"
        return f"not in this run, measured {words.moment(self.measured_at)}{_ago(self.measured_at, now)}"

    def as_record(self) -> dict[str, Any]:
        """Return what is stored of the node."""
        return {
            "schema": RECORD_SCHEMA,
            "node": self.name,
            "verdict": self.verdict,
            "expected_verdict": self.expected_verdict or None,
            "measured_at": self.measured_at or None,
            "findings": [finding.to_plain() for finding in self.findings],
            "observation": redact.data(self.observation),
        }


def ordered(findings: list[Finding]) -> tuple[Finding, ...]:
    """Return findings with the first one to read in front, otherwise in the order of the checks."""
    return tuple(sorted(findings, key=severity))


def from_record(name: str, record: Any) -> Node:
    """Return the node of an earlier run. Raises UnreadableError, with what was found and expected."""
    if not isinstance(record, dict):
        raise UnreadableError(f"found {type(record).__name__}, expected a mapping")
    if record.get("schema") != RECORD_SCHEMA:
        raise UnreadableError(f"found schema {record.get('schema')!r}, expected {RECORD_SCHEMA}")
    if record.get("node") != name:
        raise UnreadableError(f"found the result of {record.get('node')!r}, expected that of {name!r}")
    if record.get("verdict") not in VERDICTS:
        raise UnreadableError(f"found verdict {record.get('verdict')!r}, expected one of {', '.join(VERDICTS)}")
    findings = record.get("findings")
    if not isinstance(findings, list):
        raise UnreadableError(f"found findings that are {type(findings).__name__}, expected a list")
    return Node(
        name=name,
        verdict=str(record["verdict"]),
        findings=ordered([read(item) for item in findings]),
        in_run=False,
        measured_at=str(record.get("measured_at") or ""),
        expected_verdict=str(record.get("expected_verdict") or ""),
        hardware=identity.hardware(record.get("observation")),
        observation=None,
    )


def never_measured(name: str) -> Node:
    """Return a node of which nothing is known."""
    message = f"never measured, expected a result: run again with --limit {name}"
    return Node(
        name=name,
        verdict=UNKNOWN,
        findings=(trouble("measurement", message),),
        in_run=False,
        measured_at="",
        expected_verdict="",
        hardware=identity.hardware(None),
        observation=None,
    )


def _ago(stamp: str, now: datetime) -> str:
    try:
        seconds = (now - datetime.fromisoformat(stamp)).total_seconds()
    except (ValueError, TypeError):
        return ""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            return f", {words.count(int(seconds // size), unit)} ago"
    return ", just now" if seconds >= 0 else ""
