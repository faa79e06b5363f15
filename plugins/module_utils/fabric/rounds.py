"""What the search of a fabric asks for and what it gets back: rounds of groups that measure at the same time, and their outcomes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Fabric:
    """What is searched. The order of the nodes is the order of their ranks, in every group: see docs/fabric_search.md."""

    nodes: tuple[str, ...]
    rails: int = 1
    gate_gb_s: float | None = None  # reference x fraction; None: judged by what this run measured in groups of like size
    fraction: float = 0.9


@dataclass(frozen=True)
class Group:
    """Nodes that measure one all-reduce together."""

    nodes: tuple[str, ...]
    rail: int | None = None  # one network rail alone; None is all together

    @classmethod
    def from_plain(cls, data: Any) -> Group:
        """Read it back; what has another shape raises ValueError."""
        record = _record(data, "group")
        rail = record.get("rail")
        if rail is not None and (isinstance(rail, bool) or not isinstance(rail, int)):
            raise ValueError(f"rail: found {rail!r}, expected a whole number or null")
        return cls(_names(record, "nodes"), rail)


@dataclass(frozen=True)
class Round:
    """Disjoint groups that measure at the same time."""

    number: int
    groups: tuple[Group, ...]
    why: str  # for people

    @classmethod
    def from_plain(cls, data: Any) -> Round:
        """Read it back; what has another shape raises ValueError."""
        record = _record(data, "round")
        number, groups = record.get("number"), record.get("groups")
        if isinstance(number, bool) or not isinstance(number, int) or not isinstance(groups, list):
            raise ValueError(  # noqa: TRY004 - one exception for foreign data
                f"round: found number {number!r} and groups {groups!r}, expected a whole number and a list"
            )
        return cls(number, tuple(Group.from_plain(group) for group in groups), _text(record, "why"))


@dataclass(frozen=True)
class Outcome:
    """What one group gave: a figure, or evidence of why there is none."""

    group: Group
    busbw_gb_s: float | None  # decimal; None: it gave no figure
    absent: tuple[str, ...] = ()  # their agent does not answer any more, or never met the others
    died: tuple[str, ...] = ()  # their process ended by itself
    stuck: tuple[str, ...] = ()  # their ranks stopped before the others: a hint only, since in a collective all wait for one
    wrong: tuple[str, ...] = ()  # they hold a wrong sum
    transport: str = ""  # what NCCL really used
    why: str = ""  # the error in words

    @classmethod
    def from_plain(cls, data: Any) -> Outcome:
        """Read it back; what has another shape raises ValueError, and so does a figure that is none."""
        record = _record(data, "outcome")
        figure = record.get("busbw_gb_s")
        if figure is not None and (isinstance(figure, bool) or not isinstance(figure, (int, float)) or not math.isfinite(figure)):
            raise ValueError(f"busbw_gb_s: found {figure!r}, expected a finite number or null")
        return cls(
            Group.from_plain(record.get("group")),
            None if figure is None else float(figure),
            **{key: _names(record, key) for key in ("absent", "died", "stuck", "wrong")},
            transport=_text(record, "transport"),
            why=_text(record, "why"),
        )


def _record(data: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise ValueError(f"{what}: found {data!r}, expected an object")  # noqa: TRY004 - one exception for foreign data
    return data


def _names(record: Mapping[str, Any], key: str) -> tuple[str, ...]:
    names = record.get(key, [])
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{key}: found {names!r}, expected a list of names")
    return tuple(names)


def _text(record: Mapping[str, Any], key: str) -> str:
    text = record.get(key, "")
    if not isinstance(text, str):
        raise ValueError(f"{key}: found {text!r}, expected text")  # noqa: TRY004 - one exception for foreign data
    return text
