"""A node's findings as the rows that people read: what is wrong one by one, what passed summed up by check."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.gpu.fleet.plugins.module_utils.finding import Finding

from . import words
from .findings import Quantity, is_wrong

_VALUES_TOLD = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a node's findings."""

    status: str
    check: str
    subject: str
    id: str  # of a GPU, link or pair; "" for a node and for several
    found: str
    expected: str
    source: str
    action: str
    message: str


def rows(findings: Iterable[Finding]) -> tuple[Row, ...]:
    """Return the rows: each fail and error its own, the same pass or skip on eight GPUs as one."""
    gathered: dict[object, list[Finding]] = {}
    for place, finding in enumerate(findings):
        said = finding.message if finding.status == "skip" else ""
        key = (
            place
            if is_wrong(finding)
            else (finding.check, finding.status, str(finding.expected), finding.source, finding.subject.kind, said)
        )
        gathered.setdefault(key, []).append(finding)
    return tuple(_row(group) for group in gathered.values())


def _row(group: list[Finding]) -> Row:
    first = group[0]
    alone = len(group) == 1
    kind = {"gpu": "GPU"}.get(first.subject.kind, first.subject.kind)
    return Row(
        status=first.status,
        check=first.check,
        subject=words.whom(first.subject) if alone else words.count(len(group), kind),
        id=first.subject.id if alone and first.subject.kind != "node" and first.subject.index is not None else "",
        found=words.value(first.observed) if alone else _together(group),
        expected=words.value(first.expected),
        source=first.source or "",
        action="" if first.action == "none" else first.action,
        message=first.message if alone or first.status == "skip" else "",
    )


def _together(group: list[Finding]) -> str:
    quantities = [quantity for quantity in (Quantity.read(finding.observed) for finding in group) if quantity]
    if len(quantities) == len(group):
        low, high = min(quantity.value for quantity in quantities), max(quantity.value for quantity in quantities)
        span = words.number(low) if low == high else f"{words.number(low)} … {words.number(high)}"
        return f"{span} {quantities[0].unit}".rstrip()
    return words.listing(dict.fromkeys(words.value(finding.observed) for finding in group), _VALUES_TOLD)
