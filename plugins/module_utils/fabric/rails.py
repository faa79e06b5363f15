"""Which network rail makes a node, a pair or the whole fabric slow: what was bad measures again, one rail at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ansible_collections.gpu.fleet.plugins.module_utils.fabric.evidence import PAIR, Evidence, Pair
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.judged import Results, usual
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rounds import Group

_TIMES = 2  # bad measurements before a rail is named


class Rails:
    """What the rounds so far show of single rails."""

    def __init__(self, evidence: Evidence, results: Results) -> None:
        self._evidence = evidence
        self._figures: dict[tuple[Pair, int], list[float]] = defaultdict(list)
        for _round, outcomes in results:
            for outcome in outcomes:
                if outcome.group.rail is not None:
                    figure = outcome.busbw_gb_s if outcome.busbw_gb_s is not None and not outcome.wrong else 0.0
                    self._figures[frozenset(outcome.group.nodes), outcome.group.rail].append(figure)
        figures = [figure for several in self._figures.values() for figure in several]
        self._gate = usual(figures) * evidence.fabric.fraction if figures else 0.0

    def next_groups(self) -> tuple[Group, ...]:
        """Return the pairs for a rail that has yet to measure, or to measure again since it was slow."""
        subjects = self._subjects()
        rails = range(self._evidence.fabric.rails) if self._evidence.fabric.rails > 1 else ()
        for times in range(_TIMES):
            for rail in rails:
                due = [pair for pair in subjects if len(self._of(pair, rail)) == times and (times == 0 or self._is_slow(pair, rail))]
                if due:
                    pairs = [self._evidence.in_order(pair) for pair in (*due, *self._control(subjects))]
                    return tuple(Group(pair, rail) for pair in pairs)
        return ()

    def of(self, pair: Pair) -> tuple[int, ...]:
        """Name the slow rails of a pair, where others are not slow: else it is not the rails."""
        rails = range(self._evidence.fabric.rails)
        slow = tuple(rail for rail in rails if len(self._of(pair, rail)) >= _TIMES and self._is_slow(pair, rail))
        return slow if len(slow) < len(rails) else ()

    def of_node(self, node: str) -> tuple[int, ...]:
        """Name the slow rails of a node, measured with a good one."""
        measured = {pair for pair, _rail in self._figures if node in pair}
        return tuple(sorted({rail for pair in measured for rail in self.of(pair)}))

    def everywhere(self) -> tuple[int, ...]:
        """Name the rails that are slow between all nodes."""
        of_each = [] if self._evidence.shown_good else [set(self.of(pair)) for pair in self._subjects()]
        return tuple(sorted(set.intersection(*of_each))) if of_each else ()

    def _subjects(self) -> list[Pair]:
        """Pairs that are slow: a bad node with a good one, a bad pair; where nothing is good, all that measured as pairs in one round."""
        evidence = self._evidence
        slow = [pair for pair in evidence.direct if any(seen.good is False for seen in evidence.direct[pair]) and self._gave_figures(pair)]
        if not evidence.shown_good:
            first = min((evidence.direct[pair][0].number for pair in slow), default=0)
            return [pair for pair in slow if evidence.direct[pair][0].number == first]
        subjects = [pair for pair in evidence.bad_pairs if pair in slow]
        for node in evidence.bad_nodes:
            mine = [pair for pair in slow if node in pair and pair - {node} <= set(evidence.good)]
            subjects += [pair for pair in mine if not any(pair & other for other in subjects)][:1]
        return subjects

    def _control(self, subjects: list[Pair]) -> Iterator[Pair]:
        """A pair of good nodes that is free, to compare with."""
        free = [
            pair for pair, seen in self._evidence.direct.items() if any(each.good for each in seen) and pair <= set(self._evidence.good)
        ]
        yield from [pair for pair in free if not any(pair & other for other in subjects)][:1]

    def _gave_figures(self, pair: Pair) -> bool:
        return len(pair) == PAIR and all(seen.outcome.busbw_gb_s is not None for seen in self._evidence.direct[pair])

    def _of(self, pair: Pair, rail: int) -> list[float]:
        return self._figures.get((pair, rail), [])

    def _is_slow(self, pair: Pair, rail: int) -> bool:
        return bool(self._of(pair, rail)) and max(self._of(pair, rail)) < self._gate
