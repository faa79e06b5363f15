"""The fleet at a glance: a cell per node in the order of their names, so that a bad rack shows as a patch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import groupby
from typing import Final

from markupsafe import Markup

from . import words
from .node import Node

FROM_NODES: Final = 12  # below it the table says the same

_WIDTH: Final = 1120
_HEIGHT: Final = 120
_LARGEST: Final = 20
_GAP_FROM: Final = 8  # smaller cells touch, and equal neighbours are drawn as one


def fleet_map(nodes: Iterable[Node]) -> Markup:
    """Draw the map."""
    ordered = sorted(nodes, key=lambda node: words.natural(node.name))
    size = min(_LARGEST, max(3, math.floor(math.sqrt(_WIDTH * _HEIGHT / len(ordered)))))
    across = _WIDTH // size
    gap = 2 if size >= _GAP_FROM else 0
    cells = Markup("").join(
        _cells(row, line * size, size, gap)
        for line, row in enumerate(ordered[start : start + across] for start in range(0, len(ordered), across))
    )
    tall = math.ceil(len(ordered) / across) * size
    return Markup('<svg class="map" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        min(len(ordered), across) * size, tall, "A cell per node, in the order of their names", cells
    )


def _cells(row: list[Node], y: int, size: int, gap: int) -> Markup:
    drawn = []
    for _, run in groupby(enumerate(row), key=lambda item: (item[1].verdict, gap and item[0])):
        places = list(run)
        first, last = places[0], places[-1]
        named = first[1].name if first is last else f"{first[1].name} to {last[1].name}"
        wide = (last[0] - first[0] + 1) * size - gap
        inset = 0 if first[1].verdict != "ready" or not gap else 2  # smaller, so that the others stand out without colour
        drawn.append(
            Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>').format(
                first[1].verdict,
                first[0] * size + inset,
                y + inset,
                wide - 2 * inset,
                size - gap - 2 * inset,
                f"{named}: {words.VERDICT_WORDS[first[1].verdict]}",
            )
        )
    return Markup("").join(drawn)
