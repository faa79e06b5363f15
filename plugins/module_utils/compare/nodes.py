"""Judges the nodes of one run against each other. What it finds counts for their verdicts like anything else that was found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from functools import cache

from ansible_collections.gpu.fleet.plugins.module_utils.compare import agreement, clock, figures
from ansible_collections.gpu.fleet.plugins.module_utils.compare.traits import TRAITS
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding, Subject
from ansible_collections.gpu.fleet.plugins.module_utils.report.node import VERDICTS, Node, ordered
from ansible_collections.gpu.fleet.plugins.module_utils.verdict import verdict


def compare(nodes: Iterable[Node], is_known: Callable[[str], bool], may_differ: Collection[str] = ()) -> list[Node]:
    """Return the nodes, those measured in this run with their findings of the comparison.

    `is_known` says whether the reference table has a GPU of this name.
    """
    nodes = list(nodes)
    measured = [node for node in nodes if node.in_run and isinstance(node.observation, dict)]
    found = _findings(measured, cache(is_known), may_differ)  # asked for every GPU of the fleet, and a fleet has few models
    return [_with(node, found[node.name]) if node.name in found else node for node in nodes]


def _findings(measured: list[Node], is_known: Callable[[str], bool], may_differ: Collection[str]) -> dict[str, list[Finding]]:
    if len(measured) == 1:
        about = About("fleet", Subject("node", measured[0].name))
        return {measured[0].name: [about.skipped("this run measured no other node to compare with")]}
    parts = [agreement.judge(trait, measured, is_known, may_differ) for trait in TRAITS]
    parts += [clock.judge(measured), figures.judge(measured, is_known)]
    return {node.name: [finding for part in parts for finding in part[node.name]] for node in measured}


def _with(node: Node, findings: list[Finding]) -> Node:
    """Add findings: they can make a verdict worse, never better."""
    every = [*node.findings, *findings]
    worst = min(node.verdict, verdict(every), key=VERDICTS.index)
    return replace(node, findings=ordered(every), verdict=worst)
