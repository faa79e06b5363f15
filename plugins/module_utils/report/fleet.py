"""The whole fleet: its nodes in the order to read them, the counts, and what is wrong across nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.finding import Finding
from ansible_collections.gpu.fleet.plugins.module_utils.verdict import UNKNOWN

from . import words
from .findings import severity
from .gate import Gate
from .node import VERDICTS, Node


@dataclass(frozen=True, slots=True)
class About:
    """What stands above the report."""

    title: str
    notice: str
    now: datetime
    made_by: str  # the controller and the versions of what ran


@dataclass(frozen=True, slots=True)
class Fleet:
    """The nodes, each with the gate's word on it."""

    about: About
    nodes: tuple[Node, ...]  # the first is the one to look at first
    gates: Mapping[str, Gate]  # of the nodes in this run
    warnings: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many nodes have which verdict."""
        counted = Counter(node.verdict for node in self.nodes)
        return {verdict: counted[verdict] for verdict in reversed(VERDICTS)}

    @property
    def in_run(self) -> int:
        """How many nodes this run measured or tried to."""
        return sum(node.in_run for node in self.nodes)

    @property
    def refused(self) -> tuple[Node, ...]:
        """The nodes that the gate does not accept."""
        return tuple(node for node in self.nodes if node.name in self.gates and not self.gates[node.name].accepted)

    @property
    def worst(self) -> str:
        """The worst verdict of any node."""
        return next((verdict for verdict in VERDICTS if self.counts[verdict]), UNKNOWN)

    def summary(self) -> str:
        """Say the counts in one line."""
        parts = [f"{amount:,} {words.VERDICT_WORDS[verdict]}" for verdict, amount in self.counts.items() if amount]
        return f"{words.count(len(self.nodes), 'node')}: {', '.join(parts) or 'nothing to report'}"


def assemble(about: About, nodes: Iterable[Node], gates: Mapping[str, Gate], warnings: Iterable[str] = ()) -> Fleet:
    """Return the fleet with its nodes in the order to read them: refused first, then the worst verdict, then by name."""

    def order(node: Node) -> tuple[Any, ...]:
        gate = gates.get(node.name)
        return gate is None or gate.accepted, VERDICTS.index(node.verdict), words.natural(node.name)

    return Fleet(about, tuple(sorted(nodes, key=order)), gates, tuple(warnings))


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, on however many nodes."""

    check: str
    status: str
    action: str
    kills_job: bool
    nodes: tuple[str, ...]
    findings: int
    example: str  # the message on the first of them


def problems(nodes: Iterable[Node]) -> tuple[Problem, ...]:
    """Gather the same trouble across nodes, the worst and the most common first."""
    found: dict[tuple[str, str, str, bool], list[tuple[Node, Finding]]] = {}
    for node in nodes:
        for finding in node.wrong:
            found.setdefault((finding.check, finding.status, finding.action, finding.kills_job), []).append((node, finding))
    gathered = [
        (severity(hits[0][1]), Problem(*key, tuple(dict.fromkeys(node.name for node, _ in hits)), len(hits), hits[0][1].message))
        for key, hits in found.items()
    ]
    return tuple(problem for _, problem in sorted(gathered, key=lambda item: (item[0][0], -len(item[1].nodes), item[0][1])))
