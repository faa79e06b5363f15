"""The terminal's table: what to look at first, at the width that the terminal has."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Final

from . import words
from .fleet import Fleet, problems
from .node import Node

# Writes a text in a style ("ready", "not_ready", "soft", "strong", ...); plain text where the terminal has no colours.
Paint = Callable[[str, str], str]

_HEADS: Final = ("NODE", "VERDICT", "GPUS", "DRIVER", "FIRST FINDING AND NEXT STEP")
_WIDEST: Final = (32, 20, 26, 14)
_NARROWEST_TEXT: Final = 32
_LINES: Final = 4
_PROBLEMS: Final = 5
_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff\ud800-\udfff]")


def table(fleet: Fleet, *, width: int, limit: int, paint: Paint) -> Iterator[str]:
    """Yield the lines, ending before the line that names the files."""
    yield ""
    yield paint(clean(fleet.about.title), "strong") + paint(f"  {words.moment(fleet.about.now.isoformat())}", "soft")
    for said in (fleet.about.notice, *fleet.warnings):
        if said:
            yield from (paint(line, "notice") for line in wrap(f"! {clean(said)}", width, hanging=2))
    yield ""
    shown = fleet.nodes[:limit]
    rows = [_cells(fleet, node) for node in shown]
    widths = [
        min(most, max(measure(line) for cells in (*rows, _HEADS) for line in cells[place].split("\n"))) for place, most in enumerate(_WIDEST)
    ]
    if shown:
        text = max(_NARROWEST_TEXT, width - sum(widths) - 2 * len(widths))
        yield paint("  ".join(_pad(head, wide) for head, wide in zip(_HEADS, [*widths, 0], strict=True)).rstrip(), "soft")
        for node, cells in zip(shown, rows, strict=True):
            yield from _lines(node, cells, [*widths, text], paint)
        yield ""
    if len(fleet.nodes) > len(shown):
        rest = fleet.nodes[len(shown) :]
        worst = sum(node.verdict != "ready" for node in rest)
        yield paint(f"and {words.count(len(rest), 'more node')}, {worst:,} of them not ready: see the page, or raise fleet_report_table_rows", "soft")
        yield ""
    if len(fleet.nodes) > _PROBLEMS:
        yield from _troubles(fleet, width, paint)
    yield _counted(fleet, paint)


def _cells(fleet: Fleet, node: Node) -> tuple[str, ...]:
    hardware = node.hardware
    verdict = words.VERDICT_WORDS[node.verdict]
    if node.expected_verdict:
        verdict += f"\nexpected {words.VERDICT_WORDS.get(node.expected_verdict, node.expected_verdict)}"
    return clean(node.name), clean(verdict, keep="\n"), clean(hardware.gpus) or "-", clean(hardware.driver) or "-", _what(fleet, node)


def _what(fleet: Fleet, node: Node) -> str:
    age = node.age(fleet.about.now)
    if not node.wrong:
        passed = len({finding.check for finding in node.findings if finding.status == "pass"})
        said = f"{words.count(passed, 'check')} passed" if passed else "nothing was measured"
    else:
        first = node.wrong[0]
        said = f"{first.check}: {first.message}"
        said += "" if first.action == "none" else f" [{first.action.replace('_', ' ')}]"
        said += f" (+{len(node.wrong) - 1} more)" if len(node.wrong) > 1 else ""
    return clean(f"{said}; {age}" if age else said)


def _lines(node: Node, cells: tuple[str, ...], widths: list[int], paint: Paint) -> Iterator[str]:
    columns = [
        [line for part in cell.split("\n") for line in wrap(part, wide)] if place in (1, 2, 4) else [shorten(cell, wide)]
        for place, (cell, wide) in enumerate(zip(cells, widths, strict=True))
    ]
    if len(columns[4]) > _LINES:
        columns[4] = [*columns[4][: _LINES - 1], shorten(" ".join(columns[4][_LINES - 1 :]), widths[4])]
    unexpected = node.expected_verdict not in ("", node.verdict)
    for number, parts in enumerate(zip_longest(*columns, fillvalue="")):
        padded = [_pad(part, wide) for part, wide in zip(parts[:-1], widths, strict=False)]
        style = node.verdict if number == 0 else ("not_ready" if unexpected else "soft")
        padded[1] = paint(padded[1], style) if parts[1] else padded[1]
        yield "  ".join([*padded, parts[-1]]).rstrip()


def _troubles(fleet: Fleet, width: int, paint: Paint) -> Iterator[str]:
    """Yield what is wrong across nodes, where one table cannot show it."""
    every = problems(fleet.nodes)
    for problem in every[:_PROBLEMS]:
        head = f"{words.count(len(problem.nodes), 'node')}: {problem.check} {problem.status}"
        head += "" if problem.action == "none" else f" [{problem.action.replace('_', ' ')}]"
        names = words.listing(problem.nodes, 4)
        yield shorten(clean(f"{head}: {names}"), width)
    if len(every) > _PROBLEMS:
        yield paint(f"and {words.count(len(every) - _PROBLEMS, 'more kind')} of trouble in the report", "soft")
    if every:
        yield ""


def _counted(fleet: Fleet, paint: Paint) -> str:
    parts = [
        paint(f"{amount:,} {words.VERDICT_WORDS[verdict]}", verdict if amount else "soft")
        for verdict, amount in fleet.counts.items()
        if amount or verdict in ("ready", "not_ready")
    ]
    elsewhere = len(fleet.nodes) - fleet.in_run
    note = f" ({elsewhere:,} not in this run)" if elsewhere else ""
    return f"{words.count(len(fleet.nodes), 'node')}{note}: {', '.join(parts)}"


def clean(text: str, keep: str = "") -> str:
    """Return text that cannot steer a terminal: control and direction characters become a visible mark, line ends a blank."""
    if keep:
        return keep.join(clean(part) for part in text.split(keep))
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", " ".join(text.split())) if text else ""


def measure(text: str) -> int:
    """Return how many columns a text takes."""
    return sum(0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def shorten(text: str, width: int) -> str:
    """Cut a text to a width, with a sign that it was cut."""
    if measure(text) <= width:
        return text
    kept = ""
    for letter in text:
        if measure(kept + letter) > width - 1:
            break
        kept += letter
    return f"{kept}…"


def wrap(text: str, width: int, *, hanging: int = 0) -> list[str]:
    """Break a text into lines."""
    return textwrap.wrap(text, width, subsequent_indent=" " * hanging, break_on_hyphens=False) or [""]


def _pad(text: str, width: int) -> str:
    return text + " " * max(0, width - measure(text))
