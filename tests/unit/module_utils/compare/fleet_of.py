"""Nodes of one run, each observed, judged and collected as a real one is; tests change what they are about."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.compare.nodes import compare
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation
from ansible_collections.gpu.fleet.plugins.module_utils.plain import to_plain
from ansible_collections.gpu.fleet.plugins.module_utils.report.collect import Heard
from ansible_collections.gpu.fleet.plugins.module_utils.report.collect import node as collect
from ansible_collections.gpu.fleet.plugins.module_utils.report.node import Node
from unit.module_utils.healthy_node import TABLES, judged, known, observation
from unit.module_utils.healthy_probe import probe

UNKNOWN = {"name": known("NVIDIA X900"), "pci_device_id": known("3fff")}


@dataclass(frozen=True)
class Seen:
    """What is different about a node, and what the inventory expects of it."""

    changes: dict[str, Any] = field(default_factory=dict)
    expectation: dict[str, Any] = field(default_factory=dict)


def on_all(**changes: Any) -> dict[int, dict[str, Any]]:
    return dict.fromkeys(range(8), changes)


def collected(name: str, seen: Observation, expectation: dict[str, Any]) -> Node:
    findings, verdict = judged(seen, expectation)
    readiness = {"verdict": verdict, "findings": [each.to_plain() for each in findings], "observation": to_plain(seen)}
    return collect(name, Heard(readiness=readiness), "2026-01-01T00:00:00+00:00")


def knows(model: str) -> bool:
    return TABLES.gpu_named(model) is not None


def fleet(*nodes: Seen, may_differ: Collection[str] = ()) -> list[Node]:
    """Compare the nodes n0, n1 and so on."""
    made = [
        collected(f"n{number}", observation(**{"probe": known(probe(image=known("sha256:1"))), **node.changes}), node.expectation)
        for number, node in enumerate(nodes)
    ]
    return compare(made, knows, may_differ)


def differing(nodes: list[Node]) -> set[tuple[str, str, str]]:
    """Name the node, the check and the subject of every finding of the comparison that is not good."""
    return {
        (node.name, finding.check.removeprefix("fleet_"), finding.subject.id)
        for node in nodes
        for finding in node.wrong
        if finding.check.startswith("fleet")
    }
