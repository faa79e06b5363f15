"""The search for the bad node, pair or rail of a fabric: what to measure next, given what was measured.

Pure: the same results give the same round. docs/fabric_search.md explains it.
"""

from __future__ import annotations

from collections.abc import Collection

from ansible_collections.gpu.fleet.plugins.module_utils.fabric.conclude import conclude
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.conclusion import Conclusion
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.errands import Errands
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.evidence import PAIR, Evidence, Pair
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.first_rounds import Plan, first_rounds
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.halves import Halves, bits
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.judged import Results
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rails import Rails
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rounds import Fabric, Group, Round

_FAULTS = 3  # at once, for which there are rounds enough
_BESIDES = 4  # rounds of one fault that are no halves
_RAIL_ROUNDS = 2  # for each rail, and once more where it was slow
_SURE = 3  # times bad, and times each node good since
_MANY = 32  # of so many nodes one may be busy when all others measure together


def rounds_of_one(nodes: int) -> int:
    """Return how many rounds one fault takes at most, without those of single rails."""
    return bits(nodes) + _BESIDES


def most_rounds(nodes: int, rails: int = 1) -> int:
    """Return how many rounds a search takes at most."""
    if nodes <= 1:
        return 0
    return _FAULTS * rounds_of_one(nodes) + (_RAIL_ROUNDS * rails if rails > 1 else 0)


def next_round(fabric: Fabric, results: Results) -> Round | Conclusion:
    """Say what to measure next, or what is found."""
    if len(set(fabric.nodes)) < len(fabric.nodes):
        raise ValueError("found a node twice in the fabric, expected each once")
    evidence = Evidence(fabric, results)
    rails = Rails(evidence, results)
    groups, why = _groups(evidence) if len(evidence.alive) > 1 else ([], "")
    planned = tuple(Group(evidence.in_order(nodes)) for nodes in groups)
    if not planned:
        planned, why = rails.next_groups(), "what is slow, one rail at a time"
    stopped = bool(planned) and len(results) >= most_rounds(len(fabric.nodes), fabric.rails)
    if planned and not stopped:
        return Round(len(results), planned, why)
    proven = [pair for pair in evidence.bad_pairs if _is_proven(evidence, pair)]
    return conclude(evidence, results, rails, proven, stopped=stopped)


def _groups(evidence: Evidence) -> Plan:
    if not evidence.shown_good:
        return first_rounds(evidence)
    errands = list(Errands(evidence).due())
    idle = set(evidence.good).difference(*errands)
    parts = _parts(evidence, idle)
    what = ["suspects, again or each with another node"] * bool(errands) + ["good nodes in halves or pairs"] * bool(parts)
    if not parts:
        parts = _together(evidence, idle)
        what += ["all other good nodes together"] * bool(parts)
    if errands or parts:
        return [*errands, *parts], "; ".join(what)
    again = [seen.members for seen in evidence.open_groups if evidence.times_measured(seen.members) == 1]
    if again:
        return [tuple(again[0])], "once more what was slow though all in it is good"
    return _surer(evidence)


def _parts(evidence: Evidence, idle: set[str]) -> list[tuple[str, ...]]:
    """Plan what leads to the bad pair of each open group."""
    left, halves = set(idle), Halves(evidence)
    parts: list[tuple[str, ...]] = []
    for seen in evidence.open_groups:
        if not seen.members.isdisjoint(left):
            parts += halves.next_of(seen.members, left)
            left -= seen.members
    return parts


def _together(evidence: Evidence, idle: Collection[str]) -> list[tuple[str, ...]]:
    """Plan the proof that all is explained: the good nodes together, but for one of each suspected pair.

    In the last of the rounds that are stated for one fault, the one left out measures with a node that can be spared.
    """
    whole = set(idle)
    left_out: list[str] = []
    for pair in evidence.suspected:
        if pair <= whole:
            left_out.append(max(evidence.in_order(pair), key=lambda node: sum(node in other for other in evidence.suspected)))
            whole.remove(left_out[-1])
    if not _is_due(evidence, whole):
        return []
    if len(left_out) == 1 and evidence.rounds + 1 == rounds_of_one(len(evidence.fabric.nodes)):
        known = evidence.partners_tried(left_out[0])
        spare = [node for node in evidence.in_order(whole - known) if len(whole) > _MANY]
        if spare:
            return [(left_out[0], spare[0]), tuple(whole - {spare[0]})]
    return [tuple(whole)]


def _is_due(evidence: Evidence, nodes: set[str]) -> bool:
    """Say whether these have yet to be good together, and did not measure yet, or too near the gate to tell."""
    mine = [seen for seen in evidence.seen if seen.members == nodes]
    return len(nodes) > 1 and (not mine or mine[0].is_doubtful) and not _is_shown(evidence, nodes)


def _is_shown(evidence: Evidence, nodes: set[str]) -> bool:
    """Say whether one good group holds these, but for such as were good with each of them elsewhere.

    Where the rounds of one fault are used up, a few of many may have been busy then.
    """
    few = len(nodes) // _MANY if _is_used_up(evidence) else 0
    missing = [nodes - seen.members for seen in evidence.seen if seen.good and len(seen.members) > PAIR]
    least = min(missing, key=len, default=nodes)
    return len(least) <= few or (len(least) == 1 and all(nodes <= evidence.good_with(node) for node in least))


def _surer(evidence: Evidence) -> Plan:
    """Plan more proof of bad pairs, since an unsteady node can look like one."""
    if _is_used_up(evidence):
        return [], ""
    for pair in evidence.bad_pairs:
        for node in evidence.in_order(pair):
            swapped = {node, *evidence.good}.difference(*(other - {node} for other in evidence.suspected if node in other))
            apart = [other for other in evidence.suspected if other <= swapped]
            swapped.difference_update(evidence.in_order(other)[0] for other in apart)
            if _is_due(evidence, swapped):
                return [tuple(swapped)], "all good nodes together, with the other one of a bad pair"
    unsure = [pair for pair in evidence.bad_pairs if not _is_sure(evidence, pair)]
    return list(Errands(evidence).to_be_sure(unsure)), "bad pairs once more, or their nodes each with another"


def _is_proven(evidence: Evidence, pair: Pair) -> bool:
    """Say whether a bad pair is sure, and nothing else is wrong with its nodes: else one of them may be unsteady."""
    return _is_sure(evidence, pair) and all(pair.isdisjoint(seen.members) for seen in evidence.open_groups)


def _is_sure(evidence: Evidence, pair: Pair) -> bool:
    return _is_used_up(evidence) or evidence.sureness(pair) >= _SURE


def _is_used_up(evidence: Evidence) -> bool:
    """Say whether all rounds that one fault takes were needed to find one bad pair: it stands as it is then."""
    faults = len(evidence.bad_pairs) + len(evidence.bad_nodes) + len(evidence.gone)
    return evidence.rounds == rounds_of_one(len(evidence.fabric.nodes)) and faults == 1
