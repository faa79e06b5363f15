"""What follows from one attempt to measure across nodes: findings for each node, or another attempt at another meeting place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Subject

Findings = dict[str, list[dict[str, Any]]]

MOST = 3  # meeting places that are tried

_WAY_IN = "firewall, cable and interface (fabric_readiness_interface)"


@dataclass(frozen=True)
class Attempt:
    """What is known after one attempt. `said` is what each node's agent said (nothing where its node gave no answer)."""

    nodes: tuple[str, ...]  # all meet at the first
    where: str  # its address and port
    number: int  # 0 is the first attempt
    said: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Conclusion:
    """Findings by node, and the nodes of the next attempt, the first of which is its meeting place; none where this was the last."""

    findings: Findings
    again: tuple[str, ...] = ()


def conclude(attempt: Attempt) -> Conclusion:
    """Take the search's own findings where there was one; else say why not, and go on without the node that is in the way."""
    meeting, others = attempt.nodes[0], attempt.nodes[1:]
    search = attempt.said.get(meeting, {})
    if "findings" in search:
        missing = {name: [_not_met(attempt, name)] for name in attempt.nodes if name not in search["findings"]}
        return Conclusion({**search["findings"], **missing})
    trouble = str(search.get("trouble") or search.get("end") or "its agent gave no answer")
    blamed = _blame(attempt, trouble)
    if len(search.get("met", ())) > len(attempt.nodes) / 2:
        return Conclusion({name: [_unmeasured(name, trouble)] for name in attempt.nodes})  # another place would not change it
    rest = (*others, *(() if blamed else (meeting,)))
    if attempt.number + 1 < MOST and len(rest) > 1:
        return Conclusion(blamed, rest)
    return Conclusion({**{name: [_unmeasured(name, trouble)] for name in attempt.nodes}, **blamed})


def _blame(attempt: Attempt, trouble: str) -> Findings:
    """Say of the meeting node that nobody reached it, or that its agent is gone, where that is so; of two nodes it could be either."""
    meeting, others = attempt.nodes[0], attempt.nodes[1:]
    search = attempt.said.get(meeting, {})
    if "here" not in search:
        return {}
    if "met" not in search:
        found = f"that its agent does not answer ({trouble})"
        return {meeting: [_failed(meeting, found, "that it does", "look at this node's load, memory and kernel log")]}
    lost = [name for name in others if name not in search["met"]]
    if len(others) == 1:
        return {}
    said = str(attempt.said.get(lost[0], {}).get("end", "no answer")) if lost else ""
    found = f"that {len(lost)} of {len(others)} other nodes cannot reach it at {attempt.where} ({said})"
    step = "look at its firewall, cable and switch port, and at which interface that address is on"
    return {meeting: [_failed(meeting, found, "that every node can", step)]}


def _not_met(attempt: Attempt, name: str) -> dict[str, Any]:
    said = attempt.said.get(name, {})
    why = str(said.get("end", "its agent gave no answer"))
    shut = attempt.said[attempt.nodes[0]].get("closed", {}).get(name)
    if shut:
        tried = "; ".join(f"{other} tried {why}" for other, why in shut.items())
        return _failed(name, f"that other nodes cannot reach it ({tried})", "that they can", f"look at its {_WAY_IN}")
    if "here" not in said:
        return _unmeasured(name, f"its agent did not start: {why}")
    found = f"that it did not meet the others at {attempt.where} ({why})"
    return _failed(name, found, "that it does", f"try that address and port from this node; look at its {_WAY_IN}")


def _failed(name: str, found: str, expected: str, step: str) -> dict[str, Any]:
    failed = About("across_nodes", Subject("node", name)).failed(
        f"found {found}, expected {expected}: {step}",
        observed=found,
        expected=expected,
        source="the nodes of this run",
        action="investigate",
        kills_job=True,
    )
    return failed.to_plain()


def _unmeasured(name: str, trouble: str) -> dict[str, Any]:
    return About("across_nodes", Subject("node", name)).error(f"not measured across nodes: {trouble}").to_plain()
