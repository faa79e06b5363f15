"""The first rounds, while nothing was good yet: all together, then pairs, until something is."""

from __future__ import annotations

from collections.abc import Collection

from ansible_collections.gpu.fleet.plugins.module_utils.fabric.evidence import PAIR, Evidence

_FEW = 8  # nodes: with so few, a fault or two can spoil all the first pairs
_MATCHINGS_OF_FEW, _MATCHINGS = 5, 2  # before no group is held to be good

Plan = tuple[Collection[tuple[str, ...]], str]  # groups, and why


def first_rounds(evidence: Evidence) -> Plan:
    """Plan the next of them."""
    alive, everybody = evidence.alive, frozenset(evidence.alive)
    whole = [seen for seen in evidence.seen if seen.members == everybody]
    if not whole:
        return [alive], "all nodes" if not evidence.gone else "all nodes that are left"
    if whole[0].is_doubtful or (len(alive) == PAIR and len(whole) <= PAIR and evidence.fabric.gate_gb_s is not None):
        return [alive], "the same again"
    few = len(alive) <= _FEW
    for turn in range(_MATCHINGS_OF_FEW if few else _MATCHINGS):
        pairs = [pair for pair in _matching(evidence, turn) if not evidence.times_measured(pair)]
        if pairs:
            return pairs, "pairs" if turn == 0 else "other pairs, since none was good"
    return [], ""


def _matching(evidence: Evidence, turn: int) -> list[tuple[str, ...]]:
    """Pair neighbours first; then all others, turn by turn, as in a tournament.

    Who has no partner joins the last pair, if there are more.
    """
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
