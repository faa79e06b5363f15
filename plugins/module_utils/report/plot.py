"""Plots as inline SVG: nodes side by side, a dot per GPU, the gate drawn in; bands and outliers where the dots would be too many."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, islice
from typing import Final

from markupsafe import Markup

from . import words
from .series import Column, Point, Series, histogram, quantile

DOTS_UP_TO: Final = 64  # nodes; above it bands

_HEIGHT: Final = 220
_LEFT: Final = 56
_TOP: Final = 14
_RIGHT: Final = 12
_HISTOGRAM: Final = 96
_WIDEST: Final = 1040
_NARROWEST: Final = 352
_OUTLIERS: Final = 300
_BINS: Final = 160
_GATES_TOLD: Final = 3
_LONGEST_NAME: Final = 20
_LINE: Final = 13  # the height of a label
_LETTER: Final = 6.4  # the width of a letter of a label, with some room


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot with what stands above it."""

    title: str
    unit: str
    spread: str
    gate: str
    missed: str  # how many values fail; "" where none does
    svg: Markup
    width: int


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where values go."""

    width: float  # of the part with the nodes
    low: float
    high: float

    def y(self, value: float) -> float:
        return round(_TOP + (self.high - value) / (self.high - self.low) * (_HEIGHT - _TOP), 1)

    @property
    def right(self) -> float:
        return _LEFT + self.width


def figure(series: Series) -> Figure:
    """Draw one quantity."""
    values = series.values
    dots = len(series.columns) <= DOTS_UP_TO
    slot = max(16.0, min(140.0, (_WIDEST - _LEFT - _RIGHT) / len(series.columns)))
    if dots:
        width = max(_NARROWEST - _LEFT - _RIGHT, slot * len(series.columns))
        slot = width / len(series.columns)
    else:
        width = _WIDEST - _LEFT - _RIGHT - _HISTOGRAM
    frame = _Frame(width, *_span(values, [gate.value for gate, _ in series.gates]))
    if dots:
        marks, bottom = _dots(series, frame, slot), _name_room(series.columns, slot)
    else:
        marks, bottom = _bands(series, frame, values), 24
    full = math.ceil(frame.right + _RIGHT + (0 if dots else _HISTOGRAM))
    said = _said(series, values)
    body = Markup("").join(
        [*_grid(frame), *_gates(_groups(series.columns, DOTS_UP_TO if dots else _BINS), frame), *marks, *_gate_labels(series, frame)]
    )
    return Figure(
        title=series.check.replace("_", " "),
        unit=series.unit,
        **said,
        svg=Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
            full, _HEIGHT + bottom, f"{series.check}: {'; '.join(said.values())}", body
        ),
        width=full,
    )


def _said(series: Series, values: list[float]) -> dict[str, str]:
    gates = [f"{words.limit(gate)}: {source}" if source else words.limit(gate) for gate, source in series.gates[:_GATES_TOLD]]
    if len(series.gates) > len(gates):
        gates.append(words.count(len(series.gates) - len(gates), "more gate"))
    return {
        "spread": f"median {words.number(quantile(values, 0.5))}, {words.number(values[0])} to {words.number(values[-1])}, "
        f"{words.count(len(values), 'value')} on {words.count(len(series.columns), 'node')}",
        "gate": f"gate {'; '.join(gates)}" if gates else "no gate",
        "missed": f"{series.missed:,} of {len(values):,} fail" if series.missed else "",
    }


def _span(values: Sequence[float], gates: Sequence[float]) -> tuple[float, float]:
    low, high = min([*values, *gates]), max([*values, *gates])
    room = (high - low) * 0.12 or abs(high) * 0.05 or 1.0
    return (0.0 if 0 <= low < room else low - room), high + room


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Return round values between low and high."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(size * power for size in (1, 2, 2.5, 5, 10) if size * power >= raw * 0.999)
    return [round(place * step, 12) for place in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _grid(frame: _Frame) -> Iterator[Markup]:
    for tick in ticks(frame.low, frame.high):
        y = frame.y(tick)
        yield Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="tick" x="{}" y="{}">{}</text>').format(
            _LEFT, frame.right, y, y, _LEFT - 6, y + 3.5, words.number(tick)
        )


def _groups(columns: Sequence[Column], most: int) -> list[Sequence[Column]]:
    """Split the nodes into at most so many groups of neighbours."""
    size = math.ceil(len(columns) / most)
    return [columns[start : start + size] for start in range(0, len(columns), size)]


def _gates(groups: Sequence[Sequence[Column]], frame: _Frame) -> Iterator[Markup]:
    """Draw each gate over the nodes that it is for, and tint what lies beyond it."""
    step = frame.width / sum(len(group) for group in groups)
    right = float(_LEFT)
    for limits, run in groupby(groups, key=lambda group: tuple(dict.fromkeys(gate for column in group for gate in column.limits))):
        left, right = right, right + step * sum(len(group) for group in run)
        for gate in limits:
            y = frame.y(gate.value)
            yield Markup('<line class="gate" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(round(left, 1), round(right, 1), y, y)
        for minimum in (True, False):
            ys = [frame.y(gate.value) for gate in limits if gate.minimum is minimum]
            if ys:
                top, bottom = (min(ys), _HEIGHT) if minimum else (_TOP, max(ys))
                yield Markup('<rect class="beyond" x="{}" width="{}" y="{}" height="{}"/>').format(
                    round(left, 1), round(right - left, 1), round(top, 1), round(bottom - top, 1)
                )


def _gate_labels(series: Series, frame: _Frame) -> Iterator[Markup]:
    taken: list[float] = []
    for gate, source in series.gates:
        label = f"{words.limit(gate)} · {source}" if source else words.limit(gate)
        most = int(frame.width / _LETTER)
        label = label if len(label) <= most else label[: most - 1] + "…"
        y = frame.y(gate.value) + (12 if gate.minimum else -5)
        if any(abs(y - other) < _LINE for other in taken):
            continue  # it stands in the caption
        taken.append(y)
        yield Markup('<text class="gate-label" x="{}" y="{}">{}<title>{}</title></text>').format(
            frame.right - 3, round(y, 1), label, source
        )


def _mark(point: Point, node: str, unit: str, x: float, y: float) -> Markup:
    """Draw a circle, or a diamond for what fails, so that it is seen without colour."""
    title = f"{node} · {point.label}: {words.with_unit(point.value, unit)}, {point.status}"
    if point.status == "pass":
        return Markup('<circle class="dot" cx="{}" cy="{}" r="3"><title>{}</title></circle>').format(x, y, title)
    return Markup('<path class="dot {}" d="M{} {}l4.5 4.5l-4.5 4.5l-4.5 -4.5z"><title>{}</title></path>').format(
        point.status, x, round(y - 4.5, 1), title
    )


def _dots(series: Series, frame: _Frame, slot: float) -> Iterator[Markup]:
    for place, column in enumerate(series.columns):
        middle = _LEFT + (place + 0.5) * slot
        if place % 2:
            yield Markup('<rect class="every-other" x="{}" width="{}" y="{}" height="{}"/>').format(
                round(middle - slot / 2, 1), round(slot, 1), _TOP, _HEIGHT - _TOP
            )
        step = min(9.0, slot * 0.8 / len(column.points))
        reach = max(6.0, step * len(column.points) / 2)
        y = frame.y(quantile(sorted(point.value for point in column.points), 0.5))
        if len(column.points) > 1:
            yield Markup('<line class="median" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
                round(middle - reach, 1), round(middle + reach, 1), y, y
            )
        for number, point in enumerate(column.points):
            x = round(middle + (number - (len(column.points) - 1) / 2) * step, 1)
            yield _mark(point, column.node, series.unit, x, frame.y(point.value))
        yield _name(column.node, middle, upright=_upright(series.columns, slot))


def _upright(columns: Sequence[Column], slot: float) -> bool:
    return max(len(_short(column.node)) for column in columns) * _LETTER + 8 > slot


def _name_room(columns: Sequence[Column], slot: float) -> int:
    return int(max(len(_short(column.node)) for column in columns) * _LETTER) + 14 if _upright(columns, slot) else 24


def _name(node: str, x: float, *, upright: bool) -> Markup:
    if upright:
        return Markup('<text class="name up" transform="translate({} {}) rotate(-90)">{}<title>{}</title></text>').format(
            round(x + 3.5, 1), _HEIGHT + 8, _short(node), node
        )
    return Markup('<text class="name" x="{}" y="{}">{}<title>{}</title></text>').format(round(x, 1), _HEIGHT + 16, _short(node), node)


def _short(node: str) -> str:
    return node if len(node) <= _LONGEST_NAME else node[: _LONGEST_NAME - 1] + "…"


def _bands(series: Series, frame: _Frame, values: list[float]) -> Iterator[Markup]:
    """Quantile bands over groups of neighbouring nodes, the outliers as dots, and the distribution at the side."""
    columns = series.columns
    groups = _groups(columns, _BINS)
    step = frame.width / len(columns)
    ends = list(accumulate(len(group) for group in groups))
    middles = [round(_LEFT + (end - len(group) / 2) * step, 1) for end, group in zip(ends, groups, strict=True)]
    spreads = [sorted(point.value for column in group for point in column.points) for group in groups]
    for name, low, high in (("outer", 0.05, 0.95), ("inner", 0.25, 0.75)):
        upper = [(x, frame.y(quantile(spread, high))) for x, spread in zip(middles, spreads, strict=True)]
        lower = [(x, frame.y(quantile(spread, low))) for x, spread in zip(middles, spreads, strict=True)]
        yield Markup('<path class="band {}" d="{}z"/>').format(name, _line([*upper, *reversed(lower)]))
    yield Markup('<path class="median" fill="none" d="{}"/>').format(
        _line([(x, frame.y(quantile(spread, 0.5))) for x, spread in zip(middles, spreads, strict=True)])
    )
    for place, column, point in islice(_outliers(columns, values), _OUTLIERS):
        yield _mark(point, column.node, series.unit, round(_LEFT + (place + 0.5) * step, 1), frame.y(point.value))
    yield from _side(frame, values)
    for number in sorted({0, len(columns) // 2, len(columns) - 1}):
        anchor = "start" if number == 0 else "end" if number == len(columns) - 1 else "middle"
        yield Markup('<text class="name" style="text-anchor:{}" x="{}" y="{}">{}</text>').format(
            anchor, round(_LEFT + (number + 0.5) * step, 1), _HEIGHT + 16, _short(columns[number].node)
        )


def _outliers(columns: Sequence[Column], values: list[float]) -> Iterator[tuple[int, Column, Point]]:
    """Return what fails, then what lies far outside the rest of the fleet."""
    low, middle, high = (quantile(values, share) for share in (0.25, 0.5, 0.75))
    reach = 3 * (high - low)
    hits = [
        (place, column, point)
        for place, column in enumerate(columns)
        for point in column.points
        if point.status != "pass" or not low - reach <= point.value <= high + reach
    ]
    return iter(sorted(hits, key=lambda hit: (hit[2].status == "pass", -abs(hit[2].value - middle))))


def _side(frame: _Frame, values: list[float], bins: int = 40) -> Iterator[Markup]:
    counts = histogram(values, frame.low, frame.high, bins)
    tall = (_HEIGHT - _TOP) / bins
    for place, amount in enumerate(counts):
        if amount:
            wide = max(1.0, amount / max(counts) * (_HISTOGRAM - 20))
            low = frame.low + (frame.high - frame.low) * place / bins
            yield Markup('<rect class="count" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>').format(
                frame.right + 10,
                round(_HEIGHT - (place + 1) * tall + 0.5, 1),
                round(wide, 1),
                round(tall - 1, 1),
                f"{words.count(amount, 'value')} from {words.number(low)}",
            )


def _line(places: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in places)
