"""The search for the bad node, pair or rail of a fabric: what to measure next, given what was measured. Pure; docs/fabric_search.md explains it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ansible_collections.gpu.fleet.plugins.module_utils.fabric.conclude import conclude
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.conclusion import Conclusion
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.evidence import PAIR, Evidence
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.halves import Halves, bits
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.judged import Results
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rails import Rails
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rounds import Fabric, Group, Round

_FAULTS = 3  # at once, for which there are rounds enough
_BESIDES = 4  # rounds of one search that are no halves
_RAIL_ROUNDS = 2  # for each rail, and once more where it was slow
_FEW = 8  # nodes: with so few, a fault or two can spoil all the first pairs
_MATCHINGS_OF_FEW, _MATCHINGS = 5, 2  # before no group is held to be good
_ENDS_TIMES = 2  # good groups that each end of a bad pair was in without the other

_Plan = tuple[Collection[tuple[str, ...]], str]


def most_rounds(nodes: int, rails: int = 1) -> int:
    """Return how many rounds a search takes at most; one fault takes at most ceil(log2 N) + 4 of them, and those of the rails."""
    if nodes <= 1:
        return 0
    return _FAULTS * (bits(nodes) + _BESIDES) + (_RAIL_ROUNDS * rails if rails > 1 else 0)


def next_round(fabric: Fabric, results: Results) -> Round | Conclusion:
    """Say what to measure next, or what is found."""
    if len(set(fabric.nodes)) < len(fabric.nodes):
        raise ValueError("found a node twice in the fabric, expected each once")
    evidence = Evidence(fabric, results)
    rails = Rails(evidence, results)
    open_rounds = most_rounds(len(fabric.nodes), fabric.rails) - len(results)
    if open_rounds > 0 and len(evidence.alive) > 1:
        groups, why = _groups(evidence)
        planned = tuple(Group(evidence.in_order(nodes)) for nodes in groups)
        if not planned:
            planned, why = rails.next_groups(), "what is slow, one rail at a time"
        if planned:
            return Round(len(results), planned, why)
    return conclude(evidence, results, rails, stopped=open_rounds <= 0 and bool(results) and bool(_groups(evidence)[0]))


def _groups(evidence: Evidence) -> _Plan:
    if not evidence.shown_good:
        return _first(evidence)
    errands = list(_errands(evidence))
    idle = set(evidence.good).difference(*errands)
    halves = Halves(evidence)
    parts: list[tuple[str, ...]] = []
    for seen in evidence.open_groups:
        if not seen.members.isdisjoint(idle):
            parts += halves.next_of(seen.members, idle)
            idle -= seen.members
    if errands or parts:
        what = ["suspects, again or each with a good node"] * bool(errands) + ["good nodes in halves or pairs"] * bool(parts)
        return [*errands, *parts], "; ".join(what)
    again = [seen.members for seen in evidence.open_groups if evidence.times_measured(seen.members) == 1]
    if again:
        return [tuple(again[0])], "once more what was slow though all in it is good"
    return _together(evidence, halves)


def _first(evidence: Evidence) -> _Plan:
    """Plan while nothing was good yet: all together, then pairs, until something is."""
    alive = evidence.alive
    whole = [seen for seen in evidence.seen if seen.members == frozenset(alive)]
    if not whole:
        return [alive], "all nodes" if not evidence.gone else "all nodes that are left"
    doubtful = len(whole) == 1 and whole[0].good is None and whole[0].gate_gb_s is not None
    if doubtful or (len(alive) == PAIR and len(whole) <= PAIR and evidence.fabric.gate_gb_s is not None):
        return [alive], "the same again"
    few = len(alive) <= _FEW
    for turn in range(_MATCHINGS_OF_FEW if few else _MATCHINGS):
        pairs = [pair for pair in _matching(evidence, turn) if not evidence.times_measured(pair)]
        if pairs:
            return pairs, "pairs" if turn == 0 else "other pairs, since none was good"
    return [], ""


def _matching(evidence: Evidence, turn: int) -> list[tuple[str, ...]]:
    """Pair neighbours first; then all others, turn by turn, as in a tournament. Who has no partner joins the last pair, if there are more."""
    nodes: tuple[str | None, ...] = evidence.fabric.nodes
    if len(nodes) % 2:
        nodes = (*nodes, None)
    first, half = nodes[0], len(nodes) // 2
    # The circle of a tournament, laid so that neighbours meet in its first turn.
    circle = [*nodes[1::2], *reversed(nodes[2::2])]
    circle = [*circle[turn:], *circle[:turn]]
    table = [first, *circle]
    met = [(table[0], table[1])] + [(table[1 + place], table[-place]) for place in range(1, half)]
    pairs: list[tuple[str, ...]] = []
    single: list[str] = []
    for one, other in met:
        here = [node for node in (one, other) if node is not None and node not in evidence.gone]
        if len(here) == PAIR:
            pairs.append((here[0], here[1]))
        else:
            single += here
    pairs += zip(single[::2], single[1::2])
    if len(single) % 2 and len(pairs) > 1:
        pairs[-1] = (*pairs[-1], single[-1])
    return pairs


def _errands(evidence: Evidence) -> Iterator[tuple[str, ...]]:
    """Plan what tells a bad node from a bad pair and from noise: the pair again, then each of the two with a good node."""
    busy: set[str] = set()
    alone: list[str] = [node for node in evidence.alive if node not in evidence.shown_good and not evidence.partners_tried(node)]
    for pair in evidence.suspected:
        unclear = [node for node in evidence.in_order(pair) if not evidence.cleared(node, pair)]
        again = evidence.times_bad(pair) == 1 if len(unclear) == PAIR else not unclear and pair not in evidence.bad_pairs
        if again and not pair & busy:
            busy |= pair
            yield evidence.in_order(pair)
        elif not again:
            alone += unclear
    suspects = {node for pair in evidence.suspected for node in pair}
    partners = [node for node in evidence.good if node not in suspects] + [node for node in evidence.good if node in suspects]
    for node in dict.fromkeys(alone):
        if node not in busy and node not in evidence.bad_nodes:
            partner = _partner(evidence, node, [other for other in partners if other not in busy and other != node])
            if partner is not None:
                busy |= {node, partner}
                yield node, partner


def _partner(evidence: Evidence, node: str, free: list[str]) -> str | None:
    """Choose a good node that this one has not measured with; where there is none, the one with which it measured least."""
    tried = evidence.partners_tried(node)
    return next((other for other in free if other not in tried), None) or min(
        free, key=lambda other: evidence.times_bad((node, other)), default=None
    )


def _together(evidence: Evidence, halves: Halves) -> _Plan:
    """Plan the proof that all is explained: all good nodes together, but for one node of each bad pair."""
    left_out: list[str] = []
    for pair in evidence.bad_pairs:
        if pair.isdisjoint(left_out):
            left_out.append(max(evidence.in_order(pair), key=lambda node: sum(node in other for other in evidence.bad_pairs)))
    whole = tuple(node for node in evidence.good if node not in left_out)
    if _is_due(evidence, whole):
        return [whole], "all good nodes together" + (", without one of each bad pair" if left_out else "")
    if _is_uncompared(evidence, whole):
        return [half for half in halves.whole(whole) if len(half) > 1], "halves, to compare the whole with"
    # A single pair is found with all rounds of one fault used up at worst; what its two ends showed in the halves must do then.
    has_time = evidence.rounds < bits(len(evidence.fabric.nodes)) + _BESIDES
    several = len(evidence.bad_pairs) + len(evidence.bad_nodes) + len(evidence.gone) > 1
    for node in left_out:
        pairs = [pair for pair in evidence.bad_pairs if node in pair]
        swapped = evidence.in_order({*whole, node}.difference(*(pair - {node} for pair in pairs)))
        thin = min(evidence.goods(node, pair) for pair in pairs) < _ENDS_TIMES
        if (thin or has_time or several) and _is_due(evidence, swapped):
            return [swapped], "all good nodes together, with the other one of a bad pair"
    return [], ""


def _is_due(evidence: Evidence, nodes: tuple[str, ...]) -> bool:
    """Say whether these have yet to measure together, or again since the gate was too near."""
    members = frozenset(nodes)
    if len(nodes) < PAIR or any(members <= group for group in evidence.good_groups):
        return False
    mine = [seen for seen in evidence.seen if seen.members == members]
    return not mine or (len(mine) == 1 and mine[0].good is None and mine[0].gate_gb_s is not None)


def _is_uncompared(evidence: Evidence, nodes: Collection[str]) -> bool:
    members = frozenset(nodes)
    return any(seen.members == members and seen.good is None and seen.gate_gb_s is None for seen in evidence.seen)
