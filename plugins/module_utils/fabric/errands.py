"""Pairs that tell a bad node from a bad pair, and both from noise: a suspected pair once more, or its nodes each with another node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ansible_collections.gpu.fleet.plugins.module_utils.fabric.evidence import Evidence, Pair


class Errands:
    """The errands of one round. Nobody runs two at a time."""

    def __init__(self, evidence: Evidence) -> None:
        """Nobody is busy yet; nodes that are not suspected make the best partners."""
        self._evidence = evidence
        self._busy: set[str] = set()
        suspects = {node for pair in evidence.suspected for node in pair}
        self._partners = [*sorted(evidence.good, key=lambda node: node in suspects)][::-1]  # the best is the last

    def due(self) -> Iterator[tuple[str, ...]]:
        """Plan what must be known: of each suspected pair, and of each node that was never good."""
        evidence = self._evidence
        apart: list[str] = []
        for pair in evidence.suspected:
            unclear = evidence.unclear(pair)
            apart += unclear
            if not unclear and pair not in evidence.bad_pairs:
                yield from self._again(pair)
        for pair in evidence.doubtful:
            yield from self._again(pair)
        never = [node for node in evidence.alive if node not in evidence.shown_good and not evidence.partners_tried(node)]
        yield from self._with_others([*apart, *never])

    def to_be_sure(self, pairs: Iterable[Pair]) -> Iterator[tuple[str, ...]]:
        """Plan what makes these bad pairs surer."""
        evidence = self._evidence
        for pair in pairs:
            others = list(
                self._with_others(node for node in evidence.in_order(pair) if evidence.goods_since(node, pair) <= evidence.times_bad(pair))
            )
            yield from others or self._again(pair)

    def _again(self, pair: Pair) -> Iterator[tuple[str, ...]]:
        if pair.isdisjoint(self._busy):
            self._busy |= pair
            yield self._evidence.in_order(pair)

    def _with_others(self, nodes: Iterable[str]) -> Iterator[tuple[str, ...]]:
        for node in dict.fromkeys(nodes):
            partner = None if node in self._busy else self._partner(node)
            if partner is not None:
                self._busy |= {node, partner}
                yield node, partner

    def _partner(self, node: str) -> str | None:
        """Choose a good node that this one has not measured bad with; where there is none, the one with which it did least."""
        while self._partners and self._partners[-1] in self._busy:
            self._partners.pop()
        tried = self._evidence.partners_tried(node)
        free = (other for other in reversed(self._partners) if other not in self._busy and other != node)
        return next((other for other in free if other not in tried), None) or min(
            tried.intersection(self._partners).difference(self._busy),
            key=lambda other: (self._evidence.times_bad((node, other)), self._evidence.in_order((other,))),
            default=None,
        )
