"""The figure of docs/fabric_search.md: rounds against the number of nodes, both in powers, as SVG by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 420, 64, 24, 64, 52
COLOURS: Final = ("#9a3324", "#c98a1b", "#7a7a7a", "#1f6fb2")
DASHES: Final = ("", "", "5 4", "")
NODES: Final = (4, 10, 100, 1000, 10_000)
ROUNDS: Final = (1, 10, 100, 1000, 10_000)

Line = Sequence[tuple[int, float]]


def draw(lines: Mapping[str, Line]) -> str:
    """Draw named lines."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, sans-serif" font-size="12" role="img" '
        'aria-label="Rounds to find one slow pair, against the number of nodes">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *_grid(),
    ]
    for place, (name, line) in enumerate(lines.items()):
        points = " ".join(f"{_x(nodes):.1f},{_y(rounds):.1f}" for nodes, rounds in line)
        stroke = f'stroke="{COLOURS[place]}" stroke-width="2" stroke-dasharray="{DASHES[place]}"'
        at_x, at_y = LEFT + 8 + place % 2 * 250, 18 + place // 2 * 20
        parts += [
            f'<polyline points="{points}" fill="none" {stroke}/>',
            f'<line x1="{at_x}" x2="{at_x + 26}" y1="{at_y}" y2="{at_y}" {stroke}/>',
            f'<text x="{at_x + 33}" y="{at_y + 4}" fill="#222">{name}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _grid() -> Iterator[str]:
    for rounds in ROUNDS:
        y = _y(rounds)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#555">{rounds:,}</text>'
    for nodes in NODES:
        x = _x(nodes)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#eee"/>'
        yield f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" fill="#555">{nodes:,}</text>'
    yield f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.1f}" y="{HEIGHT - 10}" text-anchor="middle" fill="#222">nodes</text>'
    yield f'<text x="16" y="{(TOP + HEIGHT - BOTTOM) / 2:.1f}" text-anchor="middle" fill="#222" transform="rotate(-90 16 {(TOP + HEIGHT - BOTTOM) / 2:.1f})">rounds to find one slow pair</text>'


def _x(nodes: float) -> float:
    return LEFT + math.log(nodes / NODES[0], NODES[-1] / NODES[0]) * (WIDTH - LEFT - RIGHT)


def _y(rounds: float) -> float:
    return HEIGHT - BOTTOM - math.log(rounds, ROUNDS[-1]) * (HEIGHT - BOTTOM - TOP)
