"""The report as JSON, for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from .fleet import Fleet, problems
from .node import Node
from .store import file_name

SCHEMA: Final = 1


def document(fleet: Fleet) -> Iterator[str]:
    """Yield the document, one node a line, so that a fleet of any size is written without being held twice."""
    head = {
        "schema": SCHEMA,
        "title": fleet.about.title,
        "notice": fleet.about.notice or None,
        "generated_at": fleet.about.now.isoformat(),
        "generated_by": fleet.about.made_by,
        "counts": fleet.counts,
        "accepted": not fleet.refused,
        "warnings": list(fleet.warnings),
        "problems": [asdict(problem) for problem in problems(fleet.nodes)],
    }
    yield _dumps(head).removesuffix("}") + ',"nodes":[\n'
    for place, node in enumerate(fleet.nodes):
        yield (",\n" if place else "") + _dumps(_node(fleet, node))
    yield "\n]}\n"


def _node(fleet: Fleet, node: Node) -> dict[str, Any]:
    hardware = node.hardware
    gate = fleet.gates.get(node.name)
    return {
        "node": node.name,
        "verdict": node.verdict,
        "expected_verdict": node.expected_verdict or None,
        "accepted": gate.accepted if gate else None,
        "in_run": node.in_run,
        "measured_at": node.measured_at or None,
        "gpus": hardware.gpus or None,
        "driver": hardware.driver or None,
        "actions": list(node.actions),
        "result": f"nodes/{file_name(node.name)}",
        "findings": [finding.to_plain() for finding in node.findings],
    }


def _dumps(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"), default=str)
