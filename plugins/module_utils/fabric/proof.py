"""What makes sure of what was found: that it explains all, and that it is not an unsteady node which looks like a pair.

Proof goes on while rounds are left of those that are stated for one fault. In the worst case a single pair is found with none left: it
stands as it is then. Where several faults are found, nothing is stated but the maximum, and proof goes on until it is complete.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.gpu.fleet.plugins.module_utils.fabric.errands import Errands
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.evidence import PAIR, Evidence, Pair
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.first_rounds import Plan
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.halves import bits

_BESIDES = 4  # rounds of one fault that are no halves
_SURE = 3  # times bad, and times each node good since
_MANY = 32  # of so many nodes one may be busy in the last round when all others measure together


def rounds_of_one(nodes: int) -> int:
    """Return how many rounds one fault takes at most, without those of single rails."""
    return bits(nodes) + _BESIDES


def together(evidence: Evidence, idle: set[str]) -> list[tuple[str, ...]]:
    """Plan the proof that all is explained: the idle nodes together, but for one of each suspected pair.

    In the last of the rounds that are stated for one fault, the one left out measures with a node that can be spared.
    """
    whole = _without_pairs(evidence, idle)
    if not _is_due(evidence, whole):
        return []
    left_out = evidence.in_order(idle - whole)
    if len(left_out) == 1 and len(whole) > _MANY and evidence.rounds + 1 == rounds_of_one(len(evidence.fabric.nodes)):
        spare = evidence.in_order(whole - evidence.partners_tried(left_out[0]))[0]
        return [(left_out[0], spare), tuple(whole - {spare})]
    return [tuple(whole)]


def surer(evidence: Evidence) -> Plan:
    """Plan more proof of bad pairs."""
    if _is_used_up(evidence):
        return [], ""
    for node in [node for pair in evidence.bad_pairs for node in evidence.in_order(pair)]:
        swapped = _without_pairs(evidence, {node, *evidence.good}, but=node)
        if _is_due(evidence, swapped):
            return [tuple(swapped)], "all good nodes together, with the other one of a bad pair"
    unsure = [pair for pair in evidence.bad_pairs if not _is_sure(evidence, pair)]
    return list(Errands(evidence).to_be_sure(unsure)), "bad pairs once more, or their nodes each with another"


def is_proven(evidence: Evidence, pair: Pair) -> bool:
    """Say whether a bad pair is sure, and nothing else is wrong with its nodes: else one of them may be unsteady."""
    return _is_sure(evidence, pair) and all(pair.isdisjoint(seen.members) for seen in evidence.open_groups)


def _is_sure(evidence: Evidence, pair: Pair) -> bool:
    return _is_used_up(evidence) or evidence.sureness(pair) >= _SURE


def _is_used_up(evidence: Evidence) -> bool:
    """Say whether one bad pair is all that was found, with all the rounds that one fault takes."""
    faults = len(evidence.bad_pairs) + len(evidence.bad_nodes) + len(evidence.gone)
    return evidence.rounds == rounds_of_one(len(evidence.fabric.nodes)) and faults == 1


def _without_pairs(evidence: Evidence, nodes: Iterable[str], but: str = "") -> set[str]:
    """Leave out one of each suspected pair, the one that is in most of them, but not this node."""
    left = set(nodes)
    for pair in evidence.suspected:
        if pair <= left:
            left.remove(max(evidence.in_order(pair - {but}), key=lambda node: sum(node in other for other in evidence.suspected)))
    return left


def _is_due(evidence: Evidence, nodes: set[str]) -> bool:
    """Say whether these have yet to be good together, and did not measure yet, or too near the gate to tell."""
    mine = [seen for seen in evidence.seen if seen.members == nodes]
    return len(nodes) > 1 and (not mine or mine[0].is_doubtful) and not _is_shown(evidence, nodes)


def _is_shown(evidence: Evidence, nodes: set[str]) -> bool:
    """Say whether one good group holds these, but for one that was good with each of them elsewhere.

    Where the rounds of one fault are used up, a few of many may have been busy then, and the figure may be too near the gate to tell.
    """
    used_up = _is_used_up(evidence)
    shown = [seen for seen in evidence.seen if len(seen.members) > PAIR and (seen.good or (used_up and seen.is_doubtful))]
    missing = min((nodes - seen.members for seen in shown), key=len, default=nodes)
    few = len(nodes) // _MANY if used_up else 0
    return len(missing) <= few or (len(missing) == 1 and all(nodes <= evidence.good_with(node) for node in missing))
