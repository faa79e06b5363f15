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
    """Derived from the results alone, anew in each round. Fails closed: nobody is good without a good group, nor bad without three bad ones."""

    def __init__(self, fabric: Fabric, results: Results) -> None:
        self.fabric, self.rounds = fabric, len(results)
        self._place = {node: place for place, node in enumerate(fabric.nodes)}
        self.seen = judged(fabric, results)
        self.gone = frozenset(
            node for _round, outcomes in results for outcome in outcomes for node in (*outcome.absent, *outcome.died)
        ) & frozenset(fabric.nodes)
        self.alive = tuple(node for node in fabric.nodes if node not in self.gone)
        self.direct: dict[Pair, list[Seen]] = defaultdict(list)
        for seen in self.seen:
            if len(seen.members) == PAIR:
                self.direct[seen.members].append(seen)
        self.good_groups = [seen.members for seen in self.seen if seen.good and len(seen.members) > PAIR]
        self._good_partners: dict[str, set[str]] = defaultdict(set)
        for pair, measured in self.direct.items():
            if any(seen.good for seen in measured):
                one, other = pair
                self._good_partners[one].add(other)
                self._good_partners[other].add(one)
        self._bad_pairs_of: dict[str, list[Pair]] = defaultdict(list)
        for pair, measured in self.direct.items():
            if any(seen.good is False for seen in measured) and not pair & self.gone:
                for node in pair:
                    self._bad_pairs_of[node].append(pair)

    def in_order(self, nodes: Iterable[str]) -> tuple[str, ...]:
        """Put nodes into the order of the fabric: who were neighbours in all of it are so in every group."""
        return tuple(sorted(set(nodes), key=self._place.__getitem__))

    @cached_property
    def shown_good(self) -> frozenset[str]:
        """Nodes that were in a good group."""
        return frozenset().union(self._good_partners, *self.good_groups) - self.gone

    @cached_property
    def bad_nodes(self) -> tuple[str, ...]:
        """Nodes at fault by their figures: bad with several partners, each of whom is good with others.

        The plainest first, since its partners are then no longer suspect on its account.
        """
        clean, accused = set(self.shown_good), set()
        while True:
            left = [node for node in self._bad_pairs_of if node not in accused and self._is_bad(node, clean - {node})]
            if not left:
                return tuple(node for node in self.alive if node in accused)
            worst = max(left, key=lambda node: (node not in clean, len(self.partners_tried(node) & clean)))
            accused.add(worst)
            clean.discard(worst)

    @cached_property
    def good(self) -> tuple[str, ...]:
        """Nodes that were in a good group and are not at fault."""
        good = self.shown_good.difference(self.bad_nodes)
        return tuple(node for node in self.alive if node in good)

    @cached_property
    def suspected(self) -> tuple[Pair, ...]:
        """Pairs that measured bad, were never good together, and hold no node at fault; in the order in which they were found."""
        bad = set(self.bad_nodes)
        return tuple(
            pair
            for pair, measured in self.direct.items()
            if any(seen.good is False for seen in measured) and not pair & bad and not pair & self.gone and not self.together(*pair)
        )

    @cached_property
    def bad_pairs(self) -> tuple[Pair, ...]:
        """Pairs at fault: bad again and again, and both their nodes good with others."""
        return tuple(pair for pair in self.suspected if all(self.cleared(node, pair) for node in pair) and self.weight(pair) >= _TIMES)

    @cached_property
    def open_groups(self) -> list[Seen]:
        """Bad groups of more than two that nothing found so far explains, the smallest first: a pair of each must be bad."""
        found = {frozenset((node,)) for node in self.bad_nodes} | set(self.bad_pairs)
        groups: list[Seen] = []
        for seen in sorted(self._bad_groups, key=lambda seen: len(seen.members)):
            explained = any(cause <= seen.members for cause in found) or any(other.members <= seen.members for other in groups)
            if not explained and not seen.members & self.gone and not any(seen.members <= good for good in self.good_groups):
                groups.append(seen)
        return groups

    def together(self, one: str, other: str) -> bool:
        """Say whether the two were in one good group."""
        return other in self._good_partners.get(one, ()) or any(one in group and other in group for group in self.good_groups)

    def cleared(self, node: str, pair: Pair) -> bool:
        """Say whether a node was good without the other one of the pair."""
        return self.goods(node, pair) > 0

    def goods(self, node: str, pair: Pair) -> int:
        """Count the good groups with a node, but without the other one of the pair."""
        (other,) = pair - {node}
        return len(self._good_partners.get(node, set()) - pair) + sum(node in group and other not in group for group in self.good_groups)

    def times_bad(self, pair: Iterable[str]) -> int:
        """Count a pair's own bad measurements."""
        return sum(seen.good is False for seen in self.direct.get(frozenset(pair), ()))

    def weight(self, pair: Pair) -> int:
        """Count the bad measurements that nothing but this pair can have caused."""
        return self.times_bad(pair) + sum(only == pair for only in self._only_suspect)

    def partners_tried(self, node: str) -> set[str]:
        """Name with whom a node was bad."""
        return {other for pair in self._bad_pairs_of.get(node, ()) for other in pair} - {node}

    def times_measured(self, members: Iterable[str]) -> int:
        """Count how often this very group measured."""
        return self._times_measured[frozenset(members)]

    @cached_property
    def _times_measured(self) -> Counter[frozenset[str]]:
        return Counter(seen.members for seen in self.seen)

    @cached_property
    def _bad_groups(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.good is False and len(seen.members) > PAIR]

    @cached_property
    def _only_suspect(self) -> list[Pair | None]:
        """For each bad group of more than two, the one suspected pair in it; None where there are more, or a node at fault."""
        bad = set(self.bad_nodes)
        inside = [[pair for pair in self.suspected if pair <= seen.members] for seen in self._bad_groups if not seen.members & bad]
        return [pairs[0] if len(pairs) == 1 else None for pairs in inside]

    def _is_bad(self, node: str, good: set[str]) -> bool:
        partners = len(self.partners_tried(node) & good)
        return 0 < partners >= min(_PARTNERS, len(good)) and sum(map(self.times_bad, self._bad_pairs_of[node])) >= _TIMES
