"""A plot of many nodes: quantile bands, outliers, and the distribution at the side."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final

from markupsafe import Markup

from . import words
from .frame import HEIGHT, LEFT, TOP, Frame, mark, neighbours, shorten
from .series import Column, Point, Series, histogram, quantile

GROUPS: Final = 160  # of neighbouring nodes
HISTOGRAM: Final = 96  # how wide the distribution is
_OUTLIERS: Final = 300


def bands(series: Series, frame: Frame, values: list[float]) -> Iterator[Markup]:
    """Quantile bands over groups of neighbouring nodes, the outliers as dots, and the distribution at the side."""
    columns = series.columns
    groups = neighbours(columns, GROUPS)
    step = frame.width / len(columns)
    ends = list(accumulate(len(group) for group in groups))
    middles = [round(LEFT + (end - len(group) / 2) * step, 1) for end, group in zip(ends, groups, strict=True)]
    spreads = [sorted(point.value for column in group for point in column.points) for group in groups]
    for name, low, high in (("outer", 0.05, 0.95), ("inner", 0.25, 0.75)):
        upper = [(x, frame.y(quantile(spread, high))) for x, spread in zip(middles, spreads, strict=True)]
        lower = [(x, frame.y(quantile(spread, low))) for x, spread in zip(middles, spreads, strict=True)]
        yield Markup('<path class="band {}" d="{}z"/>').format(name, _line([*upper, *reversed(lower)]))
    yield Markup('<path class="median" fill="none" d="{}"/>').format(
        _line([(x, frame.y(quantile(spread, 0.5))) for x, spread in zip(middles, spreads, strict=True)])
    )
    for place, column, point in _outliers(columns, values):
        yield mark(point, column.node, series.unit, round(LEFT + (place + 0.5) * step, 1), frame.y(point.value))
    yield from _side(frame, values)
    for number in sorted({0, len(columns) // 2, len(columns) - 1}):
        anchor = "start" if number == 0 else "end" if number == len(columns) - 1 else "middle"
        yield Markup('<text class="name" style="text-anchor:{}" x="{}" y="{}">{}</text>').format(
            anchor, round(LEFT + (number + 0.5) * step, 1), HEIGHT + 16, shorten(columns[number].node)
        )


def _outliers(columns: Sequence[Column], values: list[float]) -> list[tuple[int, Column, Point]]:
    """Return what fails, evenly thinned where it is too much to draw, then what lies farthest outside the rest of the fleet."""
    low, middle, high = (quantile(values, share) for share in (0.25, 0.5, 0.75))
    reach = 3 * (high - low)
    marks = [(place, column, point) for place, column in enumerate(columns) for point in column.points]
    failed = [mark for mark in marks if mark[2].status != "pass"]
    far = [mark for mark in marks if mark[2].status == "pass" and not low - reach <= mark[2].value <= high + reach]
    drawn = failed[:: math.ceil(len(failed) / _OUTLIERS) or 1]
    return drawn + sorted(far, key=lambda mark: -abs(mark[2].value - middle))[: _OUTLIERS - len(drawn)]


def _side(frame: Frame, values: list[float], bins: int = 40) -> Iterator[Markup]:
    counts = histogram(values, frame.low, frame.high, bins)
    tall = (HEIGHT - TOP) / bins
    for place, amount in enumerate(counts):
        if amount:
            wide = max(1.0, amount / max(counts) * (HISTOGRAM - 20))
            low = frame.low + (frame.high - frame.low) * place / bins
            yield Markup('<rect class="count" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>').format(
                frame.right + 10,
                round(HEIGHT - (place + 1) * tall + 0.5, 1),
                round(wide, 1),
                round(tall - 1, 1),
                f"{words.count(amount, 'value')} from {words.number(low)}",
            )


def _line(places: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in places)
