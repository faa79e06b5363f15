"""A node's findings as the report reads them: tolerant of keys it does not know, never silent about what it cannot read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ansible_collections.gpu.fleet.plugins.module_utils.finding import ACTIONS, ERROR, FAIL, PASS, SKIP, Finding, Subject

STATUSES: Final = (PASS, FAIL, SKIP, ERROR)
# From the mildest to the one that costs most.
COST: Final = {action: cost for cost, action in enumerate(("none", "investigate", "restart_app", "reset_gpu", "reboot", "replace"))}

_BEYOND_MEASURE: Final = 1e18  # no such figure was measured; NaN and infinity are not below it either
_SYMBOLS: Final = {"degrees Celsius": "°C", "seconds": "s"}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A measured value with its unit."""

    value: float
    unit: str

    @classmethod
    def read(cls, data: Any) -> Quantity | None:
        """Return the quantity in an `observed`, or None where it holds none."""
        if not isinstance(data, dict) or not _is_number(data.get("value")):
            return None
        return cls(float(data["value"]), _unit(data))


@dataclass(frozen=True, slots=True)
class Limit:
    """One gate of a measured value."""

    minimum: bool
    value: float
    unit: str

    @classmethod
    def read(cls, data: Any) -> tuple[Limit, ...]:
        """Return the gates in an `expected`; none where it is not a quantity's."""
        if not isinstance(data, dict):
            return ()
        return tuple(cls(key == "minimum", float(data[key]), _unit(data)) for key in ("minimum", "maximum") if _is_number(data.get(key)))


def read(data: Any) -> Finding:
    """Read one finding of a `readiness`. What cannot be understood becomes an error that says so."""
    if not isinstance(data, dict):
        return trouble("report", f"found a finding that is {type(data).__name__}, expected a mapping: look at the node's stored result")
    status, message, action = data.get("status"), str(data.get("message") or ""), data.get("action")
    if status not in STATUSES:
        message = (
            f"found status {status!r}, expected one of {', '.join(STATUSES)}: use one version of gpu.fleet for all. {message}".rstrip()
        )
        status = ERROR
    return Finding(
        check=str(data.get("check") or "unnamed"),
        subject=_subject(data.get("subject")),
        status=str(status),
        message=message,
        observed=data.get("observed"),
        expected=data.get("expected"),
        source=str(data["source"]) if data.get("source") else None,
        action=str(action) if action in ACTIONS else "investigate" if action else "none",
        kills_job=bool(data.get("kills_job")),
    )


def trouble(check: str, message: str) -> Finding:
    """Return the finding of something that could not be measured."""
    return Finding(check, Subject("node", ""), ERROR, message, action="investigate")


def is_wrong(finding: Finding) -> bool:
    """Say whether somebody has to look at it."""
    return finding.status in (FAIL, ERROR)


def severity(finding: Finding) -> tuple[int, int]:
    """Sort findings so that the first is the one to read first: what kills jobs, what could not be measured, what fails."""
    rank = 0 if finding.status == FAIL and finding.kills_job else (ERROR, FAIL, SKIP, PASS).index(finding.status) + 1
    return rank, -COST[finding.action]


def _unit(data: dict[str, Any]) -> str:
    unit = str(data.get("unit") or "")
    return _SYMBOLS.get(unit, unit)


def _subject(data: Any) -> Subject:
    if not isinstance(data, dict):
        return Subject("node", "" if data is None else str(data))
    index = data.get("index")
    return Subject(str(data.get("kind") or "node"), str(data.get("id") or ""), index if isinstance(index, int) else None)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _BEYOND_MEASURE
