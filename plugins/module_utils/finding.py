"""Findings: what a check concludes about one subject."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

PASS, FAIL, SKIP, ERROR = "pass", "fail", "skip", "error"
ACTIONS = ("none", "restart_app", "reset_gpu", "reboot", "replace", "investigate")


@dataclass(frozen=True)
class Subject:
    """What a finding is about: a node, GPU, link or pair."""

    kind: str
    id: str
    index: int | None = None

    def to_plain(self) -> dict[str, Any]:
        """Plain data; the index only where there is one."""
        plain: dict[str, Any] = {"kind": self.kind, "id": self.id}
        return plain if self.index is None else {**plain, "index": self.index}


@dataclass(frozen=True)
class Finding:
    """One conclusion, with what it rests on and what to do about it."""

    check: str
    subject: Subject
    status: str
    message: str
    observed: Any = None
    expected: Any = None
    source: str | None = None
    action: str = "none"
    kills_job: bool = False

    def to_plain(self) -> dict[str, Any]:
        """Plain data, in the order in which people read it."""
        return {
            "check": self.check,
            "subject": self.subject.to_plain(),
            "status": self.status,
            "observed": self.observed,
            "expected": self.expected,
            "source": self.source,
            "action": self.action,
            "kills_job": self.kills_job,
            "message": self.message,
        }


@dataclass(frozen=True)
class About:
    """Makes the findings of one check about one subject."""

    check: str
    subject: Subject

    def passed(self, message: str, *, observed: Any = None, expected: Any = None, source: str | None = None) -> Finding:
        """Conclude that it is as it should be."""
        return Finding(self.check, self.subject, PASS, message, observed, expected, source)

    def failed(  # noqa: PLR0913 - a failure has that many sides, all of them named
        self, message: str, *, observed: Any, expected: Any, source: str, action: str, kills_job: bool
    ) -> Finding:
        """Conclude that it is not as it should be: the message says found, expected and the next step."""
        return Finding(self.check, self.subject, FAIL, message, observed, expected, source, action, kills_job)

    def skipped(self, why: str, *, observed: Any = None) -> Finding:
        """Conclude that this does not apply here."""
        return Finding(self.check, self.subject, SKIP, why, observed)

    def error(self, why: str, *, expected: Any = None, source: str | None = None) -> Finding:
        """Conclude that it could not be measured."""
        return Finding(self.check, self.subject, ERROR, why, None, expected, source, action="investigate")

    def without(self, **readings: Reading[Any]) -> Finding | None:
        """Return the error or the skip that follows where one of these readings has no value, else None."""
        for name, reading in readings.items():
            if reading.is_unreadable:
                return self.error(f"{name.replace('_', ' ')} could not be read: {reading.why}")
        for name, reading in readings.items():
            if reading.is_unsupported:
                return self.skipped(f"{name.replace('_', ' ')}: {reading.why}")
        return None


def quantity(value: float, unit: str) -> dict[str, Any]:
    """Write a measured figure."""
    return {"value": _readable(value), "unit": unit}


def at_least(minimum: float, unit: str) -> dict[str, Any]:
    """Write a gate from below."""
    return {"minimum": _readable(minimum), "unit": unit}


def at_most(maximum: float, unit: str) -> dict[str, Any]:
    """Write a gate from above."""
    return {"maximum": _readable(maximum), "unit": unit}


def _readable(figure: float) -> float:
    """Keep the digits that mean something, so that what is compared is what is shown."""
    return float(f"{figure:.4g}")
