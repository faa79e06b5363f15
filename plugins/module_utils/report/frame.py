"""The frame of a plot: where values go, the grid, the gates, and the mark of one value."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from markupsafe import Markup

from . import words
from .series import Column, Point, Series

HEIGHT: Final = 220
LEFT: Final = 56
TOP: Final = 14
LETTER: Final = 6.4  # the width of a letter of a label, with some room
_LINE: Final = 13  # the height of a label
_LEAST_ROOM: Final = 1e-12
_LONGEST_NAME: Final = 20


@dataclass(frozen=True, slots=True)
class Frame:
    """Where values go."""

    width: float  # of the part with the nodes
    low: float
    high: float

    def y(self, value: float) -> float:
        """Return how far below the top a value is."""
        return round(TOP + (self.high - value) / (self.high - self.low) * (HEIGHT - TOP), 1)

    @property
    def right(self) -> float:
        """Return where the part with the nodes ends."""
        return LEFT + self.width


def span(values: Sequence[float], gates: Sequence[float]) -> tuple[float, float]:
    """Return the lowest and the highest value of the frame: all values and gates, with some room."""
    low, high = min([*values, *gates]), max([*values, *gates])
    room = max((high - low) * 0.12 or abs(high) * 0.05 or 1.0, _LEAST_ROOM)
    return (0.0 if 0 <= low < room else low - room), high + room


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Return round values between low and high."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(size * power for size in (1, 2, 2.5, 5, 10) if size * power >= raw * 0.999)
    return [round(place * step, 12) for place in range(math.ceil(low / step), math.floor(high / step) + 1)]


def grid(frame: Frame) -> Iterator[Markup]:
    """Draw lines at round values."""
    for tick in ticks(frame.low, frame.high):
        y = frame.y(tick)
        yield Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="tick" x="{}" y="{}">{}</text>').format(
            LEFT, frame.right, y, y, LEFT - 6, y + 3.5, words.number(tick)
        )


def neighbours(columns: Sequence[Column], most: int) -> list[Sequence[Column]]:
    """Split the nodes into at most so many groups of neighbours."""
    size = math.ceil(len(columns) / most)
    return [columns[start : start + size] for start in range(0, len(columns), size)]


def gates(groups: Sequence[Sequence[Column]], frame: Frame) -> Iterator[Markup]:
    """Draw each gate over the nodes that it is for, and tint what lies beyond it."""
    step = frame.width / sum(len(group) for group in groups)
    right = float(LEFT)
    for limits, run in groupby(groups, key=lambda group: tuple(dict.fromkeys(gate for column in group for gate in column.limits))):
        left, right = right, right + step * sum(len(group) for group in run)
        for gate in limits:
            y = frame.y(gate.value)
            yield Markup('<line class="gate" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(round(left, 1), round(right, 1), y, y)
        for minimum in (True, False):
            ys = [frame.y(gate.value) for gate in limits if gate.minimum is minimum]
            if ys:
                top, bottom = (min(ys), HEIGHT) if minimum else (TOP, max(ys))
                yield Markup('<rect class="beyond" x="{}" width="{}" y="{}" height="{}"/>').format(
                    round(left, 1), round(right - left, 1), round(top, 1), round(bottom - top, 1)
                )


def gate_labels(series: Series, frame: Frame) -> Iterator[Markup]:
    """Write each gate's figure and source beside it, as far as there is room."""
    taken: list[float] = []
    for gate, source in series.gates:
        label = f"{words.limit(gate)} · {source}" if source else words.limit(gate)
        most = int(frame.width / LETTER)
        label = label if len(label) <= most else label[: most - 1] + "…"
        y = frame.y(gate.value) + (12 if gate.minimum else -5)
        if any(abs(y - other) < _LINE for other in taken):
            continue  # it stands in the caption
        taken.append(y)
        yield Markup('<text class="gate-label" x="{}" y="{}">{}<title>{}</title></text>').format(
            frame.right - 3, round(y, 1), label, source
        )


def mark(point: Point, node: str, unit: str, x: float, y: float) -> Markup:
    """Draw a circle, or a diamond for what fails, so that it is seen without colour."""
    title = f"{node} · {point.label}: {words.with_unit(point.value, unit)}, {point.status}"
    if point.status == "pass":
        return Markup('<circle class="dot" cx="{}" cy="{}" r="3"><title>{}</title></circle>').format(x, y, title)
    return Markup('<path class="dot {}" d="M{} {}l4.5 4.5l-4.5 4.5l-4.5 -4.5z"><title>{}</title></path>').format(
        point.status, x, round(y - 4.5, 1), title
    )


def shorten(node: str) -> str:
    """Cut a node's name to what an axis has room for."""
    return node if len(node) <= _LONGEST_NAME else node[: _LONGEST_NAME - 1] + "…"
