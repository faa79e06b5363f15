"""The figure of docs/fabric_search.md: rounds against the number of nodes, both in powers, as SVG by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 440, 76, 160, 64, 56
COLOURS: Final = ("#9a3324", "#a86a00", "#1f6fb2")
NODES: Final = (4, 10, 100, 1000, 10_000)
ROUNDS: Final = (1, 10, 100, 1000, 10_000, 100_000)

Line = Sequence[tuple[int, float]]


def draw(lines: Mapping[str, Line]) -> str:
    """Draw named lines, each with its name where it ends."""
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" font-family="system-ui, sans-serif" font-size="13"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="Rounds to find one slow pair, by number of nodes">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="26" font-size="16" fill="#111">Rounds to find one slow pair</text>',
        f'<text x="{LEFT}" y="46" fill="#555">at most; of random pairs, in 95 of 100 fleets</text>',
        *_grid(),
    ]
    for (name, line), colour in zip(lines.items(), COLOURS):
        points = " ".join(f"{_x(nodes):.1f},{_y(rounds):.1f}" for nodes, rounds in line)
        nodes, rounds = line[-1]
        parts += [
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5"/>',
            f'<text x="{_x(nodes) + 8:.1f}" y="{_y(rounds) + 4:.1f}" fill="{colour}">{name}: {round(rounds):,}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _grid() -> Iterator[str]:
    middle_x, middle_y = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    for rounds in ROUNDS:
        y = _y(rounds)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#555">{rounds:,}</text>'
    for nodes in NODES:
        x = _x(nodes)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#eee"/>'
        yield f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle" fill="#555">{nodes:,}</text>'
    yield f'<text x="{middle_x:.1f}" y="{HEIGHT - 12}" text-anchor="middle" fill="#222">nodes</text>'
    yield f'<text x="18" y="{middle_y:.1f}" text-anchor="middle" fill="#222" transform="rotate(-90 18 {middle_y:.1f})">rounds</text>'


def _x(nodes: float) -> float:
    return LEFT + math.log(nodes / NODES[0], NODES[-1] / NODES[0]) * (WIDTH - LEFT - RIGHT)


def _y(rounds: float) -> float:
    return HEIGHT - BOTTOM - math.log(rounds, ROUNDS[-1]) * (HEIGHT - BOTTOM - TOP)
