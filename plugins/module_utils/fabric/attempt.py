"""What follows from one attempt to measure across nodes: findings for each node, or another attempt at another meeting place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Subject

Findings = dict[str, list[dict[str, Any]]]

MOST = 3  # meeting places that are tried


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
    about = About("across_nodes", Subject("node", meeting))
    if "met" not in search:
        return {meeting: [_gone(about, trouble)]}
    lost = [name for name in others if name not in search["met"]]
    if len(others) == 1:
        return {}
    failed = about.failed(
        f"found that {len(lost)} of {len(others)} other nodes cannot reach it at {attempt.where} ({_words(attempt, lost)}), expected "
        "every node to: look at its firewall, cable and switch port, and at which interface that address is on",
        observed=f"reached by {len(others) - len(lost)} of {len(others)} nodes",
        expected="reached by every node",
        source="the nodes of this run",
        action="investigate",
        kills_job=True,
    )
    return {meeting: [failed.to_plain()]}


def _gone(about: About, trouble: str) -> dict[str, Any]:
    return about.failed(
        f"found that its agent does not answer ({trouble}), expected it to measure: look at this node's load, memory and kernel log",
        observed=trouble,
        expected="an agent that answers",
        source="the nodes of this run",
        action="investigate",
        kills_job=True,
    ).to_plain()


def _not_met(attempt: Attempt, name: str) -> dict[str, Any]:
    said = attempt.said.get(name, {})
    why = str(said.get("end", "its agent gave no answer"))
    shut = attempt.said[attempt.nodes[0]].get("closed", {}).get(name)
    if shut:
        return _closed(name, shut)
    if "here" not in said:
        return _unmeasured(name, f"its agent did not start: {why}")
    about = About("across_nodes", Subject("node", name))
    return about.failed(
        f"found that it did not meet the others at {attempt.where} ({why}), expected it to: try that address and port from this node; "
        "look at its firewall, cable and interface (fabric_readiness_interface)",
        observed=why,
        expected="meets the others",
        source="the nodes of this run",
        action="investigate",
        kills_job=True,
    ).to_plain()


def _closed(name: str, reasons: Mapping[str, str]) -> dict[str, Any]:
    tried = "; ".join(f"{other} tried {why}" for other, why in reasons.items())
    about = About("across_nodes", Subject("node", name))
    return about.failed(
        f"found that other nodes cannot reach it ({tried}), expected it to be open to them: look at its firewall, cable and interface "
        "(fabric_readiness_interface)",
        observed=tried,
        expected="can be reached",
        source="the nodes of this run",
        action="investigate",
        kills_job=True,
    ).to_plain()


def _unmeasured(name: str, trouble: str) -> dict[str, Any]:
    return About("across_nodes", Subject("node", name)).error(f"not measured across nodes: {trouble}").to_plain()


def _words(attempt: Attempt, names: Sequence[str]) -> str:
    return str(attempt.said.get(names[0], {}).get("end", "no answer")) if names else ""
