"""A finding as the report reads it: tolerant of keys it does not know, never silent about what it cannot read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

STATUSES: Final = ("pass", "fail", "skip", "error")
# From the mildest to the one that costs most.
ACTIONS: Final = ("none", "investigate", "restart_app", "reset_gpu", "reboot", "replace")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A measured value with its unit."""

    value: float
    unit: str

    @classmethod
    def read(cls, data: Any) -> Quantity | None:
        """Return the quantity in `data`, or None where it holds none."""
        if not isinstance(data, Mapping) or not _is_number(data.get("value")):
            return None
        return cls(float(data["value"]), str(data.get("unit", "")))


@dataclass(frozen=True, slots=True)
class Limit:
    """One gate of a measured value."""

    minimum: bool
    value: float
    unit: str

    @classmethod
    def read(cls, data: Any) -> tuple[Limit, ...]:
        """Return the gates in an `expected`; none where it is not a quantity's."""
        if not isinstance(data, Mapping):
            return ()
        unit = str(data.get("unit", ""))
        return tuple(cls(key == "minimum", float(data[key]), unit) for key in ("minimum", "maximum") if _is_number(data.get(key)))


@dataclass(frozen=True, slots=True)
class Subject:
    """What a finding is about."""

    kind: str
    id: str
    index: int | None

    @classmethod
    def read(cls, data: Any) -> Subject:
        """Read a subject; anything unreadable is the node itself."""
        if not isinstance(data, Mapping):
            return cls("node", "" if data is None else str(data), None)
        index = data.get("index")
        return cls(str(data.get("kind", "node")), str(data.get("id", "")), index if _is_number(index) else None)


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result on one subject."""

    check: str
    subject: Subject
    status: str
    observed: Any
    expected: Any
    source: str
    action: str
    kills_job: bool
    message: str

    @classmethod
    def read(cls, data: Any) -> Finding:
        """Read one finding of a `readiness`. What cannot be understood becomes an error finding that says so."""
        if not isinstance(data, Mapping):
            return trouble("report", f"found a finding that is {type(data).__name__}, expected a mapping: see the node's stored result")
        status = data.get("status")
        message = str(data.get("message") or "")
        if status not in STATUSES:
            message = f"found status {status!r}, expected one of {', '.join(STATUSES)}: run the report of the same version. {message}".strip()
            status = "error"
        action = str(data.get("action") or "none")
        return cls(
            check=str(data.get("check") or "unnamed"),
            subject=Subject.read(data.get("subject")),
            status=str(status),
            observed=data.get("observed"),
            expected=data.get("expected"),
            source=str(data.get("source") or ""),
            action=action,
            kills_job=bool(data.get("kills_job")),
            message=message,
        )

    @property
    def wrong(self) -> bool:
        """Whether somebody has to look at it."""
        return self.status in ("fail", "error")

    def as_dict(self) -> dict[str, Any]:
        """Return the finding in the shape of a `readiness`."""
        subject: dict[str, Any] = {"kind": self.subject.kind, "id": self.subject.id}
        if self.subject.index is not None:
            subject["index"] = self.subject.index
        return {
            "check": self.check,
            "subject": subject,
            "status": self.status,
            "observed": self.observed,
            "expected": self.expected,
            "source": self.source,
            "action": self.action,
            "kills_job": self.kills_job,
            "message": self.message,
        }


def trouble(check: str, message: str, *, action: str = "investigate") -> Finding:
    """Return the finding of something that could not be measured."""
    return Finding(check, Subject("node", "", None), "error", None, None, "", action, kills_job=False, message=message)


def severity(finding: Finding) -> tuple[int, int]:
    """Sort findings so that the first is the one to read first."""
    rank = 0 if finding.status == "fail" and finding.kills_job else {"error": 1, "fail": 2, "skip": 3, "pass": 4}[finding.status]
    cost = ACTIONS.index(finding.action) if finding.action in ACTIONS else 1
    return rank, -cost


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value and abs(value) != float("inf")  # noqa: PLR0124 - NaN
