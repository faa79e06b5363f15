"""Plots as inline SVG: nodes side by side, a dot per GPU, the gate drawn in; bands and outliers where the dots would be too many."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from . import words
from .bands import GROUPS, HISTOGRAM, bands
from .dots import dots, name_room
from .frame import HEIGHT, LEFT, Frame, gate_labels, gates, grid, neighbours, span
from .series import Series, quantile

DOTS_UP_TO: Final = 64  # nodes; above it bands

_RIGHT: Final = 12
_WIDEST: Final = 1040
_NARROWEST: Final = 352
_GATES_TOLD: Final = 3


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


def figure(series: Series) -> Figure:
    """Draw one quantity."""
    values = series.values
    nodes = len(series.columns)
    few = nodes <= DOTS_UP_TO
    most, least = _WIDEST - LEFT - _RIGHT, _NARROWEST - LEFT - _RIGHT
    width = max(least, min(most, 140 * nodes)) if few else most - HISTOGRAM
    frame = Frame(width, *span(values, [gate.value for gate, _ in series.gates]))
    parts = [
        *grid(frame),
        *gates(neighbours(series.columns, DOTS_UP_TO if few else GROUPS), frame),
        *(dots(series, frame, width / nodes) if few else bands(series, frame, values)),
        *gate_labels(series, frame),
    ]
    said = _said(series, values)
    full = math.ceil(frame.right + _RIGHT + (0 if few else HISTOGRAM))
    tall = HEIGHT + name_room(series.columns, width / nodes if few else width)
    return Figure(
        title=series.check.replace("_", " "),
        unit=series.unit,
        **said,
        svg=Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
            full, tall, f"{series.check}: {'; '.join(said.values())}", Markup("").join(parts)
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
