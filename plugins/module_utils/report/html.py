"""The HTML page: one file, nothing fetched, everything escaped by the template engine."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from . import words
from .fleet import Fleet, problems
from .fleetmap import FROM_NODES, fleet_map
from .gate import Gate
from .node import Node
from .plot import figure
from .rows import Row, rows
from .series import measured
from .store import file_name

# Nodes written as plain HTML, readable without JavaScript. The script unpacks the others as they are asked for.
PLAIN_NODES: Final = 100
# Rows of findings that the page carries for a whole fleet; the rest is in each node's own file.
_ROWS: Final = 200_000
_FEWEST_ROWS: Final = 8
_PROBLEMS: Final = 20


@dataclass(frozen=True, slots=True)
class NodeView:
    """One node as the template shows it."""

    node: Node
    gate: Gate | None
    verdict: str
    expected: str
    age: str
    reason: str
    more: int
    gpus: str
    driver: str
    rows: tuple[Row, ...]
    hidden: int
    file: str
    key: str  # what the page's search looks in


def page(fleet: Fleet) -> str:
    """Return the page."""
    most = max(_FEWEST_ROWS, _ROWS // max(1, len(fleet.nodes)))
    views = [_view(fleet, node, most) for node in fleet.nodes]
    template = _environment().get_template("node.html.j2")
    script = _asset("page.js")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            about=fleet.about,
            fleet=fleet,
            counts=[(verdict, words.VERDICT_WORDS[verdict], amount) for verdict, amount in reversed(fleet.counts.items())],
            made=words.moment(fleet.about.now.isoformat()),
            map=fleet_map(fleet.nodes) if len(fleet.nodes) >= FROM_NODES else "",
            problems=problems(fleet.nodes)[:_PROBLEMS],
            problems_hidden=max(0, len(problems(fleet.nodes)) - _PROBLEMS),
            plain=views[:PLAIN_NODES],
            packed=pack((view.node.verdict, view.key, template.render(view=view)) for view in views[PLAIN_NODES:]),
            packed_nodes=max(0, len(views) - PLAIN_NODES),
            figures=[figure(series) for series in measured(fleet.nodes)],
            style=_asset("page.css"),
            script=script,
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


def pack(entries: Iterable[tuple[str, str, str]]) -> str:
    """Compress what the page's script unpacks: a list of [verdict, search key, HTML]."""
    listed = list(entries)
    if not listed:
        return ""
    return base64.b64encode(gzip.compress(json.dumps(listed).encode(), compresslevel=6, mtime=0)).decode()


def _view(fleet: Fleet, node: Node, most: int) -> NodeView:
    every = rows(node.findings)
    wrong = node.wrong
    hardware = node.hardware
    return NodeView(
        node=node,
        gate=fleet.gates.get(node.name),
        verdict=words.VERDICT_WORDS[node.verdict],
        expected=words.VERDICT_WORDS.get(node.expected_verdict, node.expected_verdict),
        age=node.age(fleet.about.now),
        reason=node.headline,
        more=max(0, len(wrong) - 1),
        gpus=hardware.gpus,
        driver=hardware.driver,
        rows=every[:most],
        hidden=max(0, len(every) - most),
        file=f"nodes/{file_name(node.name)}",
        key=" ".join(
            [node.name, words.VERDICT_WORDS[node.verdict], *sorted({finding.check for finding in wrong}), *node.actions]
        ).casefold(),
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, auto_reload=False
    )
    helpers: dict[str, Any] = {"count": words.count, "listing": words.listing}
    environment.globals.update(helpers)
    return environment


_PAGE: Final = Path(__file__).parent / "page"


def _asset(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")
