"""How values, subjects and times are written for people: one way for the terminal, the page and JUnit."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from ansible_collections.gpu.fleet.plugins.module_utils.finding import Subject

from .findings import Limit, Quantity

_EXACT_BELOW: Final = 1e15
VERDICT_WORDS: Final = {"ready": "ready", "degraded": "degraded", "not_ready": "not ready", "unknown": "unknown"}


def number(value: float) -> str:
    """Write a number with the digits that carry meaning: 9,876, 712.3, 0.0123."""
    if value == int(value) and abs(value) < _EXACT_BELOW:
        return f"{int(value):,}"
    for floor, digits in ((1000, 0), (100, 1), (1, 2)):
        if abs(value) >= floor:
            text = f"{value:,.{digits}f}"
            return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.3g}"


def with_unit(value: float, unit: str) -> str:
    """Write a measured value."""
    return f"{number(value)} {unit}".rstrip()


def limit(gate: Limit) -> str:
    """Write a gate: "≥ 635 TFLOP/s"."""
    return f"{'≥' if gate.minimum else '≤'} {with_unit(gate.value, gate.unit)}"


def value(data: Any) -> str:
    """Write anything a finding observed or expected."""
    if data is None or isinstance(data, (str, bool, int, float)):
        return _scalar(data)
    if quantity := Quantity.read(data):
        return with_unit(quantity.value, quantity.unit)
    if gates := Limit.read(data):
        return " and ".join(limit(gate) for gate in gates)
    if isinstance(data, (list, tuple)) and all(_is_flat(item) for item in data):
        return ", ".join(_scalar(item) for item in data)
    if isinstance(data, dict) and all(_is_flat(item) for item in data.values()):
        return ", ".join(f"{name} {_scalar(item)}".rstrip() for name, item in data.items())
    return json.dumps(data, ensure_ascii=False, default=str)


def _is_flat(data: Any) -> bool:
    return not isinstance(data, (dict, list, tuple))


def _scalar(data: Any) -> str:
    if isinstance(data, bool):
        return "yes" if data else "no"
    if isinstance(data, (int, float)) and math.isfinite(data):
        return number(data)
    return "" if data is None else str(data)


def whom(subject: Subject) -> str:
    """Write a subject, short: "GPU 3", "node"."""
    if subject.kind == "node":
        return "node"
    kind = "GPU" if subject.kind == "gpu" else subject.kind
    return f"{kind} {subject.id if subject.index is None else subject.index}".rstrip()


def whom_exactly(subject: Subject) -> str:
    """Write a subject so that it is found on the node: "GPU 3 (00000000:1b:00.0)"."""
    short = whom(subject)
    return f"{short} ({subject.id})" if subject.id and subject.kind != "node" and subject.index is not None else short


def moment(stamp: str) -> str:
    """Write an ISO time to the minute; whatever is no time stays as it is."""
    try:
        when = datetime.fromisoformat(stamp)
    except ValueError:
        return stamp
    zone = " UTC" if when.utcoffset() is not None and not when.utcoffset() else when.strftime(" %z").rstrip()
    return f"{when:%Y-%m-%d %H:%M}{zone}"


def count(amount: int, one: str, many: str = "") -> str:
    """Write a count: "1 node", "10,000 nodes"."""
    return f"{amount:,} {one if amount == 1 else many or one + 's'}"


def listing(names: Iterable[str], most: int = 3) -> str:
    """Write the first names of a list and how many follow."""
    all_names = list(names)
    shown = ", ".join(all_names[:most])
    more = len(all_names) - most
    return f"{shown} and {more:,} more" if more > 0 else shown


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort gpu-2 before gpu-10."""
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name.casefold()) if part)
