"""Which network rail makes a node, a pair or the whole fabric slow: what was bad measures again, one rail at a time."""

from __future__ import annotations

from collections import defaultdict

from ansible_collections.gpu.fleet.plugins.module_utils.fabric.evidence import Evidence, Pair
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.judged import Results, usual
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rounds import Group

_TIMES = 2  # bad measurements before a rail is named


class Rails:
    """What the rounds so far show of single rails."""

    def __init__(self, evidence: Evidence, results: Results) -> None:
        """Sort the figures of single rails by pair and rail."""
        self._evidence = evidence
        self._figures: dict[tuple[Pair, int], list[float]] = defaultdict(list)
        for _round, outcomes in results:
            for outcome in outcomes:
                if outcome.group.rail is not None:
                    figure = outcome.busbw_gb_s if outcome.busbw_gb_s is not None and not outcome.wrong else 0.0
                    self._figures[frozenset(outcome.group.nodes), outcome.group.rail].append(figure)
        figures = [figure for several in self._figures.values() for figure in several]
        self._gate = usual(figures, evidence.fabric.fraction) * evidence.fabric.fraction if figures else 0.0

    def next_groups(self) -> tuple[Group, ...]:
        """Return the pairs for a rail that has yet to measure, or to measure again since it was slow, and a good pair to compare with."""
        if self._evidence.fabric.rails == 1:
            return ()
        subjects = self._subjects()
        for times in range(_TIMES):
            for rail in range(self._evidence.fabric.rails):
                due = [pair for pair in subjects if len(self._of(pair, rail)) == times and (times == 0 or self._is_slow(pair, rail))]
                if due:
                    return tuple(Group(self._evidence.in_order(pair), rail) for pair in (*due, *self._control(subjects)))
        return ()

    def of(self, pair: Pair) -> tuple[int, ...]:
        """Name the slow rails of a pair, where others are not slow: else it is not the rails."""
        rails = range(self._evidence.fabric.rails)
        slow = tuple(rail for rail in rails if len(self._of(pair, rail)) >= _TIMES and self._is_slow(pair, rail))
        return slow if len(slow) < len(rails) else ()

    def of_node(self, node: str) -> tuple[int, ...]:
        """Name the slow rails of a node, measured with a good one."""
        return tuple(sorted({rail for pair in self._evidence.bad_pairs_of[node] for rail in self.of(pair)}))

    def everywhere(self) -> tuple[int, ...]:
        """Name the rails that are slow between all nodes."""
        of_each = [] if self._evidence.shown_good else [set(self.of(pair)) for pair in self._subjects()]
        return tuple(sorted(set.intersection(*of_each))) if of_each else ()

    def _subjects(self) -> list[Pair]:
        """Choose slow pairs: bad ones, and bad nodes each with a good one; where nothing is good, those of the first round of pairs."""
        evidence = self._evidence
        if not evidence.shown_good:
            slow = [pair for pair in evidence.direct if self._is_slow_pair(pair)]
            first = min((evidence.direct[pair][0].number for pair in slow), default=0)
            return [pair for pair in slow if evidence.direct[pair][0].number == first]
        good = set(evidence.good)
        of_nodes = [pair for node in evidence.bad_nodes for pair in evidence.bad_pairs_of[node] if not pair.isdisjoint(good)]
        return _disjoint([pair for pair in (*evidence.bad_pairs, *of_nodes) if self._is_slow_pair(pair)])

    def _control(self, subjects: list[Pair]) -> list[Pair]:
        good = set(self._evidence.good).difference(*subjects)
        return [pair for pair, seen in self._evidence.direct.items() if pair <= good and any(each.good for each in seen)][:1]

    def _is_slow_pair(self, pair: Pair) -> bool:
        """Say whether a pair measured bad all together, and gave a figure each time."""
        seen = self._evidence.direct[pair]
        alive = pair.isdisjoint(self._evidence.gone)
        return alive and any(each.good is False for each in seen) and all(each.outcome.busbw_gb_s is not None for each in seen)

    def _of(self, pair: Pair, rail: int) -> list[float]:
        return self._figures.get((pair, rail), [])

    def _is_slow(self, pair: Pair, rail: int) -> bool:
        return bool(self._of(pair, rail)) and max(self._of(pair, rail)) < self._gate


def _disjoint(pairs: list[Pair]) -> list[Pair]:
    """Choose pairs, no node twice."""
    taken: set[str] = set()
    chosen = []
    for pair in pairs:
        if pair.isdisjoint(taken):
            taken |= pair
            chosen.append(pair)
    return chosen
