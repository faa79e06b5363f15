"""The terminal's table: what to look at first, at the width that the terminal has."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from ansible_collections.gpu.fleet.plugins.module_utils.verdict import READY

from . import words
from .fleet import Fleet, problems
from .node import Node

# A line of the terminal and its style: a verdict, "notice", or "" for none.
Line = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Column:
    head: str
    widest: int
    wraps: bool


_COLUMNS: Final = (
    _Column("NODE", 32, wraps=False),
    _Column("VERDICT", 18, wraps=True),
    _Column("GPUS", 26, wraps=True),
    _Column("DRIVER", 14, wraps=False),
)
_TEXT: Final = "FIRST FINDING AND NEXT STEP"
_NARROWEST_TEXT: Final = 36
_KEPT: Final = 2  # columns that stay however narrow the terminal: node and verdict
_MOST_LINES: Final = 6
_MOST_PROBLEMS: Final = 5
_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def table(fleet: Fleet, *, width: int, rows: int) -> Iterator[Line]:
    """Yield the lines; what follows them is the place of the report."""
    yield "", ""
    yield f"{clean(fleet.about.title)}  {words.moment(fleet.about.now.isoformat())}", ""
    for said in (fleet.about.notice, *fleet.warnings):
        if said:
            yield from ((line, "notice") for line in _wrap(f"! {clean(said)}", width, indent="  "))
    yield "", ""
    yield from _rows(fleet, fleet.nodes[:rows], width)
    rest = fleet.nodes[rows:]
    if rest:
        bad = sum(node.verdict != READY for node in rest)
        of_them = f", {bad:,} of them not ready" if bad else ", all of them ready"
        yield f"and {words.count(len(rest), 'more node')}{of_them}: the report has them, and so has a larger fleet_report_table_rows", ""
        yield "", ""
        yield from _problems(fleet, width)
    elsewhere = len(fleet.nodes) - fleet.in_run
    yield fleet.summary() + (f" ({elsewhere:,} not in this run)" if elsewhere else ""), fleet.worst


def _rows(fleet: Fleet, nodes: tuple[Node, ...], width: int) -> Iterator[Line]:
    if not nodes:
        return
    cells = [_cells(node) for node in nodes]
    widths = [
        min(column.widest, max(measure(part) for row in cells for part in (column.head, *row[place].split("\n"))))
        for place, column in enumerate(_COLUMNS)
    ]
    while len(widths) > _KEPT and width - sum(widths) - 2 * len(widths) < _NARROWEST_TEXT:
        widths.pop()
    text = max(_NARROWEST_TEXT, width - sum(widths) - 2 * len(widths))
    heads = (_pad(column.head, wide) for column, wide in zip(_COLUMNS, widths, strict=False))
    yield "  ".join([*heads, _TEXT]), ""
    for node, row in zip(nodes, cells, strict=True):
        columns = [
            [line for part in cell.split("\n") for line in _wrap(part, wide)] if column.wraps else [shorten(cell, wide)]
            for cell, column, wide in zip(row, _COLUMNS, widths, strict=False)
        ]
        said = _wrap(_said(fleet, node), text)
        if len(said) > _MOST_LINES:
            said = [*said[: _MOST_LINES - 1], shorten(" ".join(said[_MOST_LINES - 1 :]), text)]
        for number, parts in enumerate(zip_longest(*columns, said, fillvalue="")):
            padded = [_pad(part, wide) for part, wide in zip(parts, widths, strict=False)]
            yield "  ".join([*padded, parts[-1]]).rstrip(), "" if number else node.verdict
    yield "", ""


def _cells(node: Node) -> tuple[str, ...]:
    verdict = words.VERDICT_WORDS[node.verdict]
    if node.expected_verdict:
        verdict += f"\nexpected {clean(words.VERDICT_WORDS.get(node.expected_verdict, node.expected_verdict))}"
    return clean(node.name), verdict, clean(node.hardware.gpus) or "-", clean(node.hardware.driver) or "-"


def _said(fleet: Fleet, node: Node) -> str:
    said = node.headline
    if node.wrong:
        action = node.wrong[0].action
        said += "" if action == "none" else f" [{action.replace('_', ' ')}]"
        said += f" (+{len(node.wrong) - 1} more)" if len(node.wrong) > 1 else ""
    age = node.age(fleet.about.now)
    return clean(f"{said}; {age}" if age else said)


def _problems(fleet: Fleet, width: int) -> Iterator[Line]:
    """Yield what is wrong across nodes, where the table does not show all of them."""
    every = problems(fleet.nodes)
    for problem in every[:_MOST_PROBLEMS]:
        action = "" if problem.action == "none" else f" [{problem.action.replace('_', ' ')}]"
        said = f"{words.count(len(problem.nodes), 'node')}: {problem.check} {problem.status}{action}: {words.listing(problem.nodes, 4)}"
        yield shorten(clean(said), width), ""
    if len(every) > _MOST_PROBLEMS:
        yield f"and {words.count(len(every) - _MOST_PROBLEMS, 'more kind')} of trouble in the report", ""
    if every:
        yield "", ""


def clean(text: str) -> str:
    """Return text that cannot steer a terminal: one line, control and direction characters replaced by a visible mark."""
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", " ".join(text.split()))


def measure(text: str) -> int:
    """Return how many columns a text takes."""
    return sum(0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def shorten(text: str, width: int) -> str:
    """Cut a text to a width, with a sign that it was cut."""
    if measure(text) <= width:
        return text
    kept, taken = "", 0
    for letter in text:
        taken += measure(letter)
        if taken > width - 1:
            break
        kept += letter
    return f"{kept}…"


def _wrap(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False) or [""]


def _pad(text: str, width: int) -> str:
    return text + " " * max(0, width - measure(text))
