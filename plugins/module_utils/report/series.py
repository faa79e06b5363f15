"""What was measured, by quantity: the numbers behind the plots."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from . import words
from .findings import Limit, Quantity
from .node import Node


@dataclass(frozen=True, slots=True)
class Point:
    """One measured value."""

    label: str  # whose: "GPU 3 (00000000:1b:00.0)"
    value: float
    status: str


@dataclass(frozen=True, slots=True)
class Column:
    """One node's values and gates."""

    node: str
    points: tuple[Point, ...]
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """One quantity on every node that measured it."""

    check: str
    unit: str
    columns: tuple[Column, ...]
    gates: tuple[tuple[Limit, str], ...]  # the different gates, each with its source

    @property
    def values(self) -> list[float]:
        """All values, sorted."""
        return sorted(point.value for column in self.columns for point in column.points)

    @property
    def missed(self) -> int:
        """How many values fail."""
        return sum(point.status == "fail" for column in self.columns for point in column.points)


def measured(nodes: Iterable[Node]) -> tuple[Series, ...]:
    """Return every quantity that a check observed, with the nodes in the order of their names."""
    points: dict[tuple[str, str], dict[str, list[tuple[int, str, Point]]]] = {}
    limits: dict[tuple[str, str], dict[str, dict[Limit, None]]] = {}
    gates: dict[tuple[str, str], dict[Limit, str]] = {}
    for node in sorted(nodes, key=lambda node: words.natural(node.name)):
        for finding in node.findings:
            quantity = Quantity.read(finding.observed)
            if quantity is None:
                continue
            key = (finding.check, quantity.unit)
            index = finding.subject.index
            place = -1 if index is None else index
            point = Point(words.whom_exactly(finding.subject), quantity.value, finding.status)
            points.setdefault(key, {}).setdefault(node.name, []).append((place, finding.subject.id, point))
            for gate in Limit.read(finding.expected):
                limits.setdefault(key, {}).setdefault(node.name, {})[gate] = None
                gates.setdefault(key, {}).setdefault(gate, finding.source or "")
    return tuple(
        Series(
            check,
            unit,
            tuple(
                Column(
                    name,
                    tuple(point for _, _, point in sorted(listed, key=lambda item: item[:2])),
                    tuple(limits.get((check, unit), {}).get(name, ())),
                )
                for name, listed in by_node.items()
            ),
            tuple(gates.get((check, unit), {}).items()),
        )
        for (check, unit), by_node in points.items()
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which `share` of the sorted values lie."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def histogram(ordered: Sequence[float], low: float, high: float, bins: int) -> list[int]:
    """Count sorted values in equal bins from low to high."""
    edges = [low + (high - low) * step / bins for step in range(bins)] + [float("inf")]
    return [bisect_left(ordered, edges[step + 1]) - (bisect_left(ordered, edges[step]) if step else 0) for step in range(bins)]
