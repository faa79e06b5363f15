"""What the rounds so far show: who is good, which node or pair is at fault, and what is still suspected."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cached_property

from ansible_collections.gpu.fleet.plugins.module_utils.fabric.judged import Results, Seen, judged
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rounds import Fabric

Pair = frozenset[str]

PAIR = 2  # nodes
_TIMES = 3  # bad measurements before anybody is accused: noise gives one now and then, never three
_PARTNERS = 3  # good nodes with which an accused node was bad, where there are so many: two bad paths make no bad node


class Evidence:
    """Derived from the results alone, anew in each round.

    Fails closed: nobody is good without a good group, nor bad without three bad ones.
    """

    def __init__(self, fabric: Fabric, results: Results) -> None:
        """Sort what was measured by whom it shows something of."""
        self.fabric = fabric
        self.rounds = sum(any(group.rail is None for group in round_.groups) for round_, _outcomes in results)  # without single rails
        self._place = {node: place for place, node in enumerate(fabric.nodes)}
        self.seen = judged(fabric, results)
        self.gone = frozenset(
            node for _round, outcomes in results for outcome in outcomes for node in (*outcome.absent, *outcome.died)
        ) & frozenset(fabric.nodes)
        self.alive = tuple(node for node in fabric.nodes if node not in self.gone)
        self.direct: dict[Pair, list[Seen]] = defaultdict(list)
        self._good_pairs_of: dict[str, list[Seen]] = defaultdict(list)
        self.bad_pairs_of: dict[str, dict[Pair, None]] = defaultdict(dict)  # in the order in which they measured
        for seen in self.seen:
            if len(seen.members) == PAIR:
                self.direct[seen.members].append(seen)
                for node in self.in_order(seen.members):
                    if seen.good:
                        self._good_pairs_of[node].append(seen)
                    elif seen.good is False and not seen.members & self.gone:
                        self.bad_pairs_of[node][seen.members] = None
        self._good_groups = [seen for seen in self.seen if seen.good and len(seen.members) > PAIR]

    def in_order(self, nodes: Iterable[str]) -> tuple[str, ...]:
        """Put nodes into the order of the fabric: who were neighbours in all of it are so in every group."""
        return tuple(sorted(set(nodes), key=self._place.__getitem__))

    @cached_property
    def shown_good(self) -> frozenset[str]:
        """Nodes that were in a good group."""
        return frozenset().union(self._good_pairs_of, *(seen.members for seen in self._good_groups)) - self.gone

    @cached_property
    def bad_nodes(self) -> tuple[str, ...]:
        """Nodes at fault by their figures: bad with several partners, each of whom is good with others.

        First those that were never good, then the plainest, since its partners are then no longer suspect on its account.
        """
        clean = set(self.shown_good)
        accused = {node for node in self.bad_pairs_of if node not in clean and self._is_bad(node, clean)}
        while left := [node for node in self.bad_pairs_of if node in clean and self._is_bad(node, clean)]:
            worst = max(left, key=lambda node: len(self.partners_tried(node) & clean))
            accused.add(worst)
            clean.discard(worst)
        return tuple(node for node in self.alive if node in accused)

    @cached_property
    def good(self) -> tuple[str, ...]:
        """Nodes that were in a good group and are not at fault."""
        good = self.shown_good.difference(self.bad_nodes)
        return tuple(node for node in self.alive if node in good)

    @cached_property
    def suspected(self) -> tuple[Pair, ...]:
        """Pairs that measured bad, were never good together, and hold no node at fault; in the order in which they were found."""
        cleared = self.gone.union(self.bad_nodes)
        bad = {pair: None for pairs in self.bad_pairs_of.values() for pair in pairs}
        pairs = [pair for pair in bad if not pair & cleared and not self.together(*pair)]
        return tuple(sorted(pairs, key=lambda pair: (self._first_bad(pair), self.in_order(pair))))

    @cached_property
    def doubtful(self) -> tuple[Pair, ...]:
        """Pairs too near the gate to tell, with a node that was never good."""
        near = [pair for pair, seen in self.direct.items() if seen[-1].is_doubtful and not pair & self.gone]
        return tuple(pair for pair in near if not pair <= self.shown_good)

    @cached_property
    def bad_pairs(self) -> tuple[Pair, ...]:
        """Pairs at fault: bad again and again, and both their nodes good with others."""
        return tuple(pair for pair in self.suspected if self.weight(pair) >= _TIMES and not self.unclear(pair))

    @cached_property
    def open_groups(self) -> list[Seen]:
        """Groups of more than two that are bad, or like no other, and that nothing found so far explains; the smallest first."""
        found = {frozenset((node,)) for node in self.bad_nodes} | set(self.bad_pairs)
        groups: list[Seen] = []
        for seen in sorted(self._open, key=lambda seen: len(seen.members)):
            explained = any(cause <= seen.members for cause in found) or any(other.members <= seen.members for other in groups)
            if not explained and not seen.members & self.gone and not self.is_shown(seen.members):
                groups.append(seen)
        return groups

    def together(self, one: str, other: str) -> bool:
        """Say whether the two were in one good group."""
        pair = frozenset((one, other))
        return any(seen.good for seen in self.direct.get(pair, ())) or self.is_shown(pair)

    def good_with(self, node: str) -> frozenset[str]:
        """Name a node and all with whom it was in one good group."""
        groups = (*self._good_pairs_of.get(node, ()), *(seen for seen in self._good_groups if node in seen.members))
        return frozenset((node,)).union(*(seen.members for seen in groups))

    def is_shown(self, members: frozenset[str]) -> bool:
        """Say whether all of these were in one good group of more than two."""
        return any(members <= seen.members for seen in self._good_groups)

    def unclear(self, pair: Pair) -> tuple[str, ...]:
        """Name the nodes of a pair that have yet to be good without the other one; one that is suspected with several, as often since."""
        return tuple(
            node
            for node in self.in_order(pair)
            if not self._cleared(node, pair) or 1 < self._times_suspected[node] > self.goods_since(node, pair)
        )

    def sureness(self, pair: Pair) -> int:
        """Count how often a bad pair was bad by itself, and each of its nodes good without the other one after that.

        What came before does not count: it has led to this very pair, and an unsteady node leads to some pair as well.
        """
        return min(self.times_bad(pair), *(self.goods_since(node, pair) for node in pair))

    def goods_since(self, node: str, pair: Pair) -> int:
        """Count the good groups of a node without the other one, after the two were first bad."""
        (other,) = pair - {node}
        groups = (*self._good_pairs_of.get(node, ()), *(seen for seen in self._good_groups if node in seen.members))
        return sum(seen.number > self._first_bad(pair) and other not in seen.members for seen in groups)

    def times_bad(self, pair: Iterable[str]) -> int:
        """Count a pair's own bad measurements."""
        return sum(seen.good is False for seen in self.direct.get(frozenset(pair), ()))

    def weight(self, pair: Pair) -> int:
        """Count the bad measurements that nothing but this pair can have caused."""
        return self.times_bad(pair) + self._only_suspect[pair]

    def partners_tried(self, node: str) -> set[str]:
        """Name with whom a node was bad."""
        return {other for pair in self.bad_pairs_of.get(node, ()) for other in pair} - {node}

    def times_measured(self, members: Iterable[str]) -> int:
        """Count how often this very group measured."""
        return self._times_measured[frozenset(members)]

    @cached_property
    def _times_measured(self) -> Counter[frozenset[str]]:
        return Counter(seen.members for seen in self.seen)

    @cached_property
    def _times_suspected(self) -> Counter[str]:
        return Counter(node for pair in self.suspected for node in pair)

    @cached_property
    def _open(self) -> list[Seen]:
        large = [seen for seen in self.seen if len(seen.members) > PAIR]
        return [seen for seen in large if seen.good is False or (seen.good is None and seen.gate_gb_s is None)]

    @cached_property
    def _only_suspect(self) -> Counter[Pair]:
        """Count for each suspected pair the bad groups of more than two in which there is no other suspect, nor a node at fault."""
        groups = [seen.members for seen in self._open if seen.good is False and seen.members.isdisjoint(self.bad_nodes)]
        inside = [[pair for pair in self.suspected if pair <= members] for members in groups]
        return Counter(pairs[0] for pairs in inside if len(pairs) == 1)

    def _cleared(self, node: str, pair: Pair) -> bool:
        (other,) = pair - {node}
        pairs = any(other not in seen.members for seen in self._good_pairs_of.get(node, ()))
        return pairs or any(node in seen.members and other not in seen.members for seen in self._good_groups)

    def _first_bad(self, pair: Pair) -> int:
        return next(seen.number for seen in self.direct[pair] if seen.good is False)

    def _is_bad(self, node: str, clean: set[str]) -> bool:
        partners = len(self.partners_tried(node) & clean)
        return 0 < partners >= min(_PARTNERS, len(clean) - (node in clean)) and sum(map(self.times_bad, self.bad_pairs_of[node])) >= _TIMES
