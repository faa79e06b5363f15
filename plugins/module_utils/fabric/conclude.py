"""From what the rounds showed to the conclusion."""

from __future__ import annotations

from collections.abc import Collection, Iterable

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
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.evidence import Evidence, Pair
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.judged import Results, Seen
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rails import Rails


def conclude(evidence: Evidence, results: Results, rails: Rails, proven: Collection[Pair], *, stopped: bool) -> Conclusion:
    """Say what the rounds showed; whoever was not shown to be good is not good, and whoever was not shown to be bad is not accused."""
    fabric = evidence.fabric
    gone = tuple(_gone(evidence, results))
    slow = tuple(_bad_node(evidence, node, rails) for node in evidence.bad_nodes)
    bad = {node.node for node in (*gone, *slow)}
    good = tuple(node for node in evidence.good if node not in bad)
    measured = {node for seen in evidence.seen for node in seen.members}
    settled = bad.union(good)
    rest = [node for node in fabric.nodes if node not in settled]
    largest = max((seen for seen in evidence.seen if seen.good), key=lambda seen: len(seen.members), default=None)
    return Conclusion(
        rounds=len(results),
        bad_nodes=(*gone, *slow),
        bad_pairs=tuple(_pair(evidence, pair, rails) for pair in proven),
        bad_rails=rails.everywhere(),
        good=good,
        undecided=tuple(node for node in rest if node in measured),
        undecided_pairs=tuple(_pair(evidence, pair, rails) for pair in evidence.suspected if pair not in proven),
        unmeasured=tuple(node for node in rest if node not in measured),
        everywhere=not evidence.shown_good and any(seen.good is False for seen in evidence.seen),
        unexplained=_measured(evidence, [seen for seen in evidence.open_groups if seen.good is False]),
        whole=_measured(evidence, [largest])[0] if largest else None,
        stopped=stopped,
    )


def _gone(evidence: Evidence, results: Results) -> Iterable[BadNode]:
    first: dict[str, BadNode] = {}
    for round_, outcomes in results:
        for outcome in outcomes:
            for kind, nodes in ((DIED, outcome.died), (ABSENT, outcome.absent)):
                for node in nodes:
                    measured = Measured(round_.number, outcome.group.nodes, outcome.busbw_gb_s, None, outcome.transport, outcome.why)
                    first.setdefault(node, BadNode(node, kind, (measured,)))
    return (first[node] for node in evidence.fabric.nodes if node in first)


def _bad_node(evidence: Evidence, node: str, rails: Rails) -> BadNode:
    seen = sorted(
        (seen for pair in evidence.bad_pairs_of[node] for seen in evidence.direct[pair] if seen.good is False), key=lambda seen: seen.number
    )
    return BadNode(node, _kind(seen), _measured(evidence, seen), rails.of_node(node))


def _pair(evidence: Evidence, pair: Pair, rails: Rails) -> BadPair:
    seen = [seen for seen in evidence.direct[pair] if seen.good is False]
    one, other = evidence.in_order(pair)
    return BadPair((one, other), _kind(seen), _measured(evidence, seen), rails.of(pair))


def _kind(seen: Iterable[Seen]) -> str:
    outcomes = [each.outcome for each in seen]
    if any(outcome.wrong for outcome in outcomes):
        return WRONG
    return HANG if any(outcome.busbw_gb_s is None for outcome in outcomes) else SLOW


def _measured(evidence: Evidence, seen: Iterable[Seen]) -> tuple[Measured, ...]:
    return tuple(
        Measured(
            each.number,
            evidence.in_order(each.members),
            each.outcome.busbw_gb_s,
            each.gate_gb_s,
            each.outcome.transport,
            each.outcome.why,
        )
        for each in seen
    )
