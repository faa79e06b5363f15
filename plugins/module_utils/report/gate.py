"""The gate: whether a node may join, in one place and one sentence."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from . import words
from .node import Node

_FINDINGS_TOLD = 3


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate's word on one node."""

    accepted: bool
    message: str


def judge(node: Node, accept: Collection[str]) -> Gate:
    """Accept the verdict that the inventory expects of this node; where it expects none, the verdicts that the site accepts."""
    wanted = (node.expected_verdict,) if node.expected_verdict else tuple(accept)
    verdict = words.VERDICT_WORDS[node.verdict]
    expected = " or ".join(words.VERDICT_WORDS.get(name, name) for name in wanted)
    if node.verdict in wanted:
        return Gate(
            accepted=True, message=f"{node.name} is {verdict}, as expected" if node.expected_verdict else f"{node.name} is {verdict}"
        )
    reasons = [
        f"{finding.check} ({words.whom_exactly(finding.subject)}): {finding.message}{_next_step(finding.action)}"
        for finding in node.wrong[:_FINDINGS_TOLD]
    ]
    more = len(node.wrong) - len(reasons)
    if more > 0:
        reasons.append(f"and {words.count(more, 'more finding')} in the report")
    if not reasons:
        reasons.append(
            "no finding speaks against it: correct the expected verdict in the inventory or look for the fault that was not found"
        )
    return Gate(accepted=False, message=f"{node.name} is {verdict}, expected {expected}. " + "; ".join(reasons))


def _next_step(action: str) -> str:
    return "" if action == "none" else f" [{action}]"
