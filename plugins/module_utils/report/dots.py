"""A plot of few nodes: a mark per GPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from .frame import HEIGHT, LEFT, LETTER, TOP, Frame, mark, shorten
from .series import Column, Series, quantile


def dots(series: Series, frame: Frame, slot: float) -> Iterator[Markup]:
    """Draw the marks of every node with its median, and the names below; `slot` is how wide a node is."""
    for place, column in enumerate(series.columns):
        middle = LEFT + (place + 0.5) * slot
        if place % 2:
            yield Markup('<rect class="every-other" x="{}" width="{}" y="{}" height="{}"/>').format(
                round(middle - slot / 2, 1), round(slot, 1), TOP, HEIGHT - TOP
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
            yield mark(point, column.node, series.unit, x, frame.y(point.value))
        yield _name(column.node, middle, upright=_upright(series.columns, slot))


def _upright(columns: Sequence[Column], slot: float) -> bool:
    return max(len(shorten(column.node)) for column in columns) * LETTER + 8 > slot


def name_room(columns: Sequence[Column], slot: float) -> int:
    """Return how much room the names need below the frame."""
    return int(max(len(shorten(column.node)) for column in columns) * LETTER) + 14 if _upright(columns, slot) else 24


def _name(node: str, x: float, *, upright: bool) -> Markup:
    if upright:
        return Markup('<text class="name up" transform="translate({} {}) rotate(-90)">{}<title>{}</title></text>').format(
            round(x + 3.5, 1), HEIGHT + 8, shorten(node), node
        )
    return Markup('<text class="name" x="{}" y="{}">{}<title>{}</title></text>').format(round(x, 1), HEIGHT + 16, shorten(node), node)
