"""What the search of a fabric says of each node, as findings for the report."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.gpu.fleet.plugins.module_utils.fabric import transport
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.conclusion import (
    ABSENT,
    DIED,
    HANG,
    SLOW,
    WRONG,
    BadNode,
    BadPair,
    Conclusion,
    Measured,
)
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.judged import Results
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rounds import Fabric
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding, Subject, at_least, quantity

CHECK = "across_nodes"

_GB_S, _SOURCE = "GB/s", "the nodes of this run"
_NAMED = 4
_COMPARABLE = 4  # nodes: fewer make no two groups without a node in common
_WHAT = {
    ABSENT: "its agent stopped answering in the middle of a measurement",
    DIED: "a process of it ended by itself in the middle of a measurement",
    HANG: "measurements with it hang",
    WRONG: "sums with it come out wrong",
    SLOW: "measurements with it are slow",
}
_BETWEEN = {HANG: "hang", WRONG: "come out wrong", SLOW: "are slow"}
_NEXT = {
    ABSENT: "look at its load, memory and kernel log, and whether it answers at all",
    DIED: "look at its kernel log and memory, and run the probe there by itself",
    HANG: "look at its firewall, interface, cables and switch port, and at its kernel log",
    WRONG: "keep jobs off it, run the probe there by itself at level burn_in, and look at its adapters' and GPUs' error counters",
    SLOW: "look at its adapters' rate and errors, cables and switch port, and at which way NCCL goes",
}


def findings(fabric: Fabric, results: Results, conclusion: Conclusion, adapters: transport.Adapters) -> dict[str, list[Finding]]:
    """Say of each node what the search found."""
    rails = adapters.rails
    found: dict[str, list[Finding]] = {node: [] for node in fabric.nodes}
    for bad in conclusion.bad_nodes:
        found[bad.node].append(_bad_node(bad, rails))
    for pair in conclusion.bad_pairs:
        for node in pair.nodes:
            found[node].append(_bad_pair(pair, rails))
    for pair in conclusion.undecided_pairs:
        for node in pair.nodes:
            found[node].append(_undecided_pair(pair))
    for node in fabric.nodes:
        about = About(CHECK, Subject("node", node))
        found[node] += _everywhere(about, conclusion, results) if conclusion.everywhere else _unexplained(about, conclusion)
        found[node] += [_slow_rail(rails, rail) for rail in conclusion.bad_rails]
        if not found[node]:
            found[node].append(_ungated(about, fabric, results, conclusion) or _rest(about, conclusion))
    for node, finding in transport.judge(fabric, results, adapters):
        found[node].append(finding)
    return found


def _bad_node(bad: BadNode, adapters: Sequence[str]) -> Finding:
    found = f"that {_WHAT[bad.kind]} ({_shown(bad.evidence, bad.node)})"
    step = f"{_NEXT[bad.kind]}{_by_rail(bad.rails, adapters)}"
    return _bad(Subject("node", bad.node), bad, f"found {found}, expected what the others do together: {step}")


def _bad_pair(pair: BadPair, adapters: Sequence[str]) -> Finding:
    one, other = pair.nodes
    found = f"that measurements between {one} and {other} {_BETWEEN[pair.kind]} ({_shown(pair.evidence)})"
    step = f"look at the way between them, such as switches, cables and routes{_by_rail(pair.rails, adapters)}"
    return _bad(Subject("pair", f"{one}-{other}"), pair, f"found {found}, expected what each of the two does with others: {step}")


def _bad(subject: Subject, bad: BadNode | BadPair, message: str) -> Finding:
    return About(CHECK, subject).failed(
        message,
        observed=_observed(bad.evidence),
        expected=_expected(bad.evidence),
        source=_SOURCE,
        action="investigate",
        kills_job=bad.kind != SLOW,
    )


def _undecided_pair(pair: BadPair) -> Finding:
    one, other = pair.nodes
    return About(CHECK, Subject("pair", f"{one}-{other}")).error(
        f"{one} and {other} measured bad together ({_shown(pair.evidence)}), and it is not known which of them, or the way between "
        "them, is at fault: run again, with more nodes if there are"
    )


def _everywhere(about: About, conclusion: Conclusion, results: Results) -> list[Finding]:
    """Blame nobody in particular where nobody was good; what is at fault by evidence of its own has its own finding."""
    if about.subject.id in {bad.node for bad in conclusion.bad_nodes}:
        return []
    told = [outcome for _round, outcomes in results for outcome in outcomes if outcome.busbw_gb_s is not None]
    figures = [outcome.busbw_gb_s for outcome in told if outcome.busbw_gb_s is not None]
    if not figures:
        whys = {outcome.why for _round, outcomes in results for outcome in outcomes if outcome.why}
        return [
            about.error(f"no group of nodes could measure ({'; '.join(sorted(whys)[:_NAMED]) or 'no reason was given'}): try two by hand")
        ]
    best = max(figures)
    ways = ", ".join(sorted({outcome.transport for outcome in told if outcome.transport})) or "a transport that it does not tell"
    return [
        about.failed(
            f"found no group of nodes at the gate (the best {best:.4g} {_GB_S}, over {ways}), which blames nobody: look at what all have "
            "in common, such as the transport, NCCL's settings, the switch, and the gate itself (fabric_readiness_gate_gb_s)",
            observed=quantity(best, _GB_S),
            expected=None,
            source=_SOURCE,
            action="investigate",
            kills_job=False,
        )
    ]


def _unexplained(about: About, conclusion: Conclusion) -> list[Finding]:
    groups = [measured for measured in conclusion.unexplained if about.subject.id in measured.nodes]
    if not groups:
        return []
    return [
        about.failed(
            f"found {_figure(groups[0])} with {len(groups[0].nodes)} nodes, expected as much as in smaller groups, where all is good: "
            "look at what only larger groups use, such as links between switches, routing and NCCL's choice of algorithm",
            observed=_observed(groups),
            expected=_expected(groups),
            source=_SOURCE,
            action="investigate",
            kills_job=False,
        )
    ]


def _slow_rail(adapters: Sequence[str], rail: int) -> Finding:
    name = adapters[rail] if rail < len(adapters) else str(rail)
    return About(CHECK, Subject("link", f"rail {name}")).failed(
        f"found rail {name} slow between all nodes, expected it to be as fast as the others: look at the switch of that rail",
        observed=name,
        expected="as fast as the other rails",
        source=_SOURCE,
        action="investigate",
        kills_job=False,
    )


def _ungated(about: About, fabric: Fabric, results: Results, conclusion: Conclusion) -> Finding | None:
    """Accept what so few nodes measured that nothing tells what is normal, where all is right and alike."""
    outcomes = [outcome for _round, outcomes in results for outcome in outcomes]
    figures = [outcome.busbw_gb_s for outcome in outcomes if outcome.busbw_gb_s is not None and not outcome.wrong]
    undecided = len(conclusion.undecided) == len(fabric.nodes) < _COMPARABLE and not conclusion.undecided_pairs
    if fabric.gate_gb_s is not None or not undecided or not figures or len(figures) < len(outcomes):
        return None
    if min(figures) < fabric.fraction * max(figures):
        return None
    return about.passed(
        f"{figures[0]:.4g} {_GB_S} bus bandwidth of {len(fabric.nodes)} nodes together{_over(outcomes[0].transport)}; no gate: so few "
        "have no others to compare with, set fabric_readiness_gate_gb_s to what the network should give",
        observed=quantity(figures[0], _GB_S),
        source="no gate",
    )


def _rest(about: About, conclusion: Conclusion) -> Finding:
    node = about.subject.id
    if node not in conclusion.good:
        measured = "measured with others, and was never good" if node in conclusion.undecided else "was not measured with others"
        ended = f" within {conclusion.rounds} rounds" if conclusion.stopped else ""
        return about.error(f"this node {measured}{ended}: whether it is at fault is not known; run again, with more nodes if there are")
    whole = conclusion.whole
    if whole is None or whole.busbw_gb_s is None:
        return about.error("this node is called good, and no measurement shows it: please report this")
    gate = None if whole.gate_gb_s is None else at_least(whole.gate_gb_s, _GB_S)
    with_it = f"{_figure(whole)} bus bandwidth of {len(whole.nodes)} nodes together{_over(whole.transport)}"
    return about.passed(with_it, observed=quantity(whole.busbw_gb_s, _GB_S), expected=gate, source=_SOURCE)


def _shown(evidence: Sequence[Measured], node: str = "") -> str:
    """Write the measurements that show it, the first few."""
    parts = []
    for measured in evidence[:_NAMED]:
        others = [other for other in measured.nodes if other != node]
        whom = ", ".join(others) if len(others) <= 2 else f"{len(others)} others"  # noqa: PLR2004 - a pair, or a partner
        parts.append(f"{_figure(measured)} {'with' if node else 'by'} {whom} in round {measured.round}")
    return "; ".join(parts)


def _over(transport: str) -> str:
    return f", over {transport}" if transport else ""


def _figure(measured: Measured) -> str:
    if measured.busbw_gb_s is None:
        return f"no figure ({measured.why})" if measured.why else "no figure"
    gate = f" where {measured.gate_gb_s:.4g} is the least" if measured.gate_gb_s is not None else ""
    return f"{measured.busbw_gb_s:.4g} {_GB_S}{gate}"


def _observed(evidence: Sequence[Measured]) -> object:
    figures = [measured.busbw_gb_s for measured in evidence if measured.busbw_gb_s is not None]
    return quantity(min(figures), _GB_S) if figures else "no figure"


def _expected(evidence: Sequence[Measured]) -> object:
    gates = [measured.gate_gb_s for measured in evidence if measured.gate_gb_s is not None]
    return at_least(max(gates), _GB_S) if gates else None


def _by_rail(rails: Sequence[int], adapters: Sequence[str]) -> str:
    names = [adapters[rail] if rail < len(adapters) else str(rail) for rail in rails]
    return f"; only rail {', '.join(names)} is slow" if names else ""
