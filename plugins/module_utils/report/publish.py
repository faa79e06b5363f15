"""Writes a report's files."""

from __future__ import annotations

from pathlib import Path

from . import document, html, junit, store
from .fleet import Fleet


def publish(fleet: Fleet, directory: Path) -> None:
    """Write the results of the nodes in this run, then what is made of all of them."""
    nodes = directory / store.NODES
    nodes.mkdir(parents=True, exist_ok=True)
    for node in fleet.nodes:
        if node.in_run:
            store.save(nodes, node)
    store.write(directory / "report.json", document.document(fleet))
    store.write(directory / "report.xml", junit.document(fleet))
    store.write(directory / "report.html", [html.page(fleet)])
