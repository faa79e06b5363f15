"""Leads the search at the meeting place: hears who has come, and measures round by round until the planner has its conclusion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.fabric.agent_process import Message
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.findings import findings
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.node import Conversation, Request
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.plan import most_rounds, next_round
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rounds import Fabric, Group, Outcome, Round
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.transport import Adapters
from ansible_collections.gpu.fleet.plugins.module_utils.observe.runtime import CONTAINER
from ansible_collections.gpu.fleet.plugins.module_utils.plain import to_plain

_LEAST = 2
_SLACK_S = 20.0  # between what is over and the word of it: more than the meeting place itself waits for its nodes


def lead(talk: Conversation, request: Request, say: Callable[[str], None]) -> Message:
    """Search; `say` gets a line for people about each round."""
    heard = talk.hear("met", request.meet_s + _SLACK_S)
    met: dict[str, Message] = heard["met"]
    absent = [name for name in request.nodes if name not in met]
    say(
        f"{len(met)} of {len(request.nodes)} nodes have met at {request.address}:{request.port}"
        + (f", not {_some(absent)}" if absent else "")
    )
    found: Message = {"met": met, "absent": absent}
    unlike = _unlike(met)
    if unlike:
        return {**found, "trouble": unlike}
    if len(met) < _LEAST or len(absent) > len(request.nodes) / 2:
        return {**found, "trouble": f"only {len(met)} of {len(request.nodes)} nodes reached {request.address}:{request.port}"}
    shut = closed(heard["knocked"])
    for name, reasons in shut.items():
        say(f"{name} cannot be reached by {' nor '.join(reasons)} ({next(iter(reasons.values()))}): the others go on without it")
    names = tuple(name for name in request.nodes if name in met and name not in shut)
    if len(names) < _LEAST:
        return {**found, "trouble": f"only {len(names)} of {len(request.nodes)} nodes can be reached by their neighbours"}
    without_verbs = [name for name in names if met[name]["rails"] and not met[name]["verbs"]]
    adapters = Adapters({name: met[name]["rails"] for name in names}, without_verbs, request.image if request.runtime == CONTAINER else "")
    rails = adapters.rails
    if adapters.obstacle():
        say(adapters.obstacle())
    fabric = Fabric(names, rails=max(1, len(rails)), gate_gb_s=request.gate_gb_s, fraction=request.fraction)
    say(f"at most {most_rounds(len(names), fabric.rails)} rounds follow, one if all is well")
    history: list[tuple[Round, tuple[Outcome, ...]]] = []
    while isinstance(step := next_round(fabric, history), Round):
        talk.tell(_order(step, request, rails))
        told = talk.hear("told", request.amounts.limit_s + _SLACK_S)["told"]
        outcomes = tuple(outcome(group, told) for group in step.groups)
        history.append((step, outcomes))
        say(_line(step, outcomes))
    told_of = {name: [finding.to_plain() for finding in those] for name, those in findings(fabric, history, step, adapters).items()}
    return {**found, "closed": shut, "findings": told_of, "conclusion": to_plain(step), "rounds": to_plain(history)}


def outcome(group: Group, told: Mapping[str, Message]) -> Outcome:
    """Put together what the nodes of a group told: the slowest counts, and who told nothing is absent."""
    absent = tuple(name for name in group.nodes if name not in told)
    records = {name: told[name] for name in group.nodes if name in told}
    figures = [record["busbw_gb_s"] for record in records.values() if record["busbw_gb_s"] is not None]
    whole = len(figures) == len(group.nodes)
    furthest = max((record["step"] for record in records.values()), default=0)
    behind = tuple(name for name, record in records.items() if record["step"] < furthest)
    return Outcome(
        group,
        min(figures) if whole else None,
        absent=absent,
        died=tuple(name for name, record in records.items() if record["died"]),
        stuck=() if whole else behind,
        wrong=tuple(name for name, record in records.items() if whole and not record["correct"]),
        transport=", ".join(sorted({record["transport"] for record in records.values() if record["transport"]})),
        why=next((record["why"] for record in records.values() if record["why"]), ""),
    )


def closed(knocked: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Name the nodes at whose doors several knocked, all in vain: why, by who knocked. One alone does not tell whose fault it is."""
    at: dict[str, dict[str, str]] = {}
    for name, reasons in knocked.items():
        for neighbour, why in reasons.items():
            at.setdefault(neighbour, {})[name] = why
    return {name: reasons for name, reasons in at.items() if len(reasons) > 1 and all(reasons.values())}


def _unlike(met: Mapping[str, Message]) -> str:
    """Say in what the nodes differ though one fabric needs them alike; "" where in nothing."""
    for what, key in (("GPUs", "model"), ("numbers of GPUs", "ranks")):
        seen: dict[Any, list[str]] = {}
        for name, record in met.items():
            seen.setdefault(record[key], []).append(name)
        if len(seen) > 1:
            kinds = "; ".join(f"{value} on {_some(names)}" for value, names in seen.items())
            return f"found different {what} ({kinds}), expected one kind in a fabric: run each kind by itself with --limit"
    return ""


def _order(step: Round, request: Request, rails: list[str]) -> Message:
    groups = [{"nodes": list(group.nodes), "rail": rails[group.rail] if group.rail is not None else ""} for group in step.groups]
    amounts = request.amounts
    return {"groups": groups, "bytes": amounts.bytes, "measure_s": amounts.measure_s, "limit_s": amounts.limit_s}


def _line(step: Round, outcomes: tuple[Outcome, ...]) -> str:
    figures = [each.busbw_gb_s for each in outcomes if each.busbw_gb_s is not None]
    silent = len(outcomes) - len(figures)
    seen = f"{min(figures):.4g} to {max(figures):.4g} GB/s" if figures else "no figure"
    return f"round {step.number} ({step.why}): {len(outcomes)} groups, {seen}" + (f", {silent} without one" if silent and figures else "")


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown  # noqa: PLR2004 - said in the line above
