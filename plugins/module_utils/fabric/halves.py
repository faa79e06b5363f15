"""Finding the bad pair in a bad group of good nodes: split it in halves, by one bit of the nodes' labels after the other.

Two nodes lie in the same half where their labels agree in that bit. A half that is bad holds the pair, and is split in its turn. Where
both halves are good, the pair lies across: its labels differ in that bit. Once every bit is known to agree or to differ, each node has one
partner left that fits, and these disjoint pairs measure at the same time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ansible_collections.gpu.fleet.plugins.module_utils.fabric.evidence import PAIR, Evidence

_MANY = 8  # of so many nodes one may have been busy when its half measured: what it missed is made up for at the end

Parts = tuple[tuple[str, ...], ...]


def bits(nodes: int) -> int:
    """Return ceil(log2 N)."""
    return (nodes - 1).bit_length()


class Halves:
    """Splits for one evidence."""

    def __init__(self, evidence: Evidence) -> None:
        """Label the nodes."""
        self._evidence = evidence
        self._label = labels(evidence.fabric.nodes)
        self._present = _present(evidence)

    def next_of(self, group: Collection[str], idle: Collection[str]) -> Parts:
        """Return the groups that lead on to the bad pair within this one, of idle nodes; none where everything in it was good."""
        nodes = self._evidence.in_order(set(group) & set(self._evidence.good))
        undone, strays = self._bits(nodes)
        mask = self._mask(nodes)
        if len(undone) == 1:  # all pairs across may have been measured before: then the last split would tell nothing
            (bit,) = undone
            if not any(True for _pair in self._fitting(nodes, mask)):
                undone, mask = [], mask ^ (1 << bit)
        if undone:
            free = [node for node in nodes if node in idle]
            parts = [_split(free, self._label, bit) for bit in undone]
            best = min(parts, key=lambda halves: abs(len(halves[0]) - len(halves[1])))
            return tuple(half for half in best if len(half) > 1)
        return _disjoint(self._fitting(nodes, mask), idle) or self._of_strays(nodes, strays, idle)

    def _bits(self, nodes: tuple[str, ...]) -> tuple[list[int], set[str]]:
        """Return the bits by which this group has yet to be split, and the nodes that missed a split since they were busy."""
        undone: list[int] = []
        strays: set[str] = set()
        for bit in range(bits(len(self._label))):
            halves = _split(nodes, self._label, bit)
            if all(halves):
                missed = [self._missed(frozenset(half)) for half in halves]
                if None in missed:
                    undone.append(bit)
                else:
                    strays.update(*(names for names in missed if names))
        return undone, strays

    def _missed(self, half: frozenset[str]) -> frozenset[str] | None:
        """Return who of this half did not take part when the rest of it was good together; None where it never was."""
        if len(half) == 1 or (len(half) == PAIR and not self._is_new(*half)):
            return frozenset()
        first = min(half)
        shares = [(group, present) for group, present in self._present if first in group or first not in present]
        missed = [half - group for group, present in shares if len(half - group) * _MANY <= len(half) and not (half - group) & present]
        return min(missed, key=len, default=None)

    def _mask(self, nodes: tuple[str, ...]) -> int:
        """Return the bits in which the labels of these differ."""
        mask = 0
        for node in nodes:
            mask |= self._label[node] ^ self._label[nodes[0]]
        return mask

    def _fitting(self, nodes: tuple[str, ...], mask: int) -> Iterator[tuple[str, str]]:
        """Pair each node with the one whose label differs in just these bits, where that pair is new."""
        by_label = {self._label[node]: node for node in nodes}
        for label, node in by_label.items():
            other = by_label.get(label ^ mask)
            if other is not None and label < label ^ mask and self._is_new(node, other):
                yield node, other

    def _of_strays(self, nodes: tuple[str, ...], strays: set[str], idle: Collection[str]) -> Parts:
        """Put each stray together with half of those with whom it was never good."""
        left, groups = set(idle), []
        for stray in self._evidence.in_order(strays & left):
            fitting = [other for other in nodes if other in left and other != stray and self._is_new(stray, other)]
            if stray in left and fitting:
                group = self._evidence.in_order((stray, *fitting[: (len(fitting) + 1) // 2]))
                left.difference_update(group)
                groups.append(group)
        return tuple(groups)

    def _is_new(self, one: str, other: str) -> bool:
        return not self._evidence.together(one, other) and not self._evidence.times_measured((one, other))


def labels(nodes: tuple[str, ...]) -> dict[str, int]:
    """Return labels by which the two of a first pair differ in every bit: no split needs to find again what that pair measured."""
    mask = (1 << bits(len(nodes))) - 1
    return {node: place // 2 if place % 2 == 0 else mask ^ (place // 2) for place, node in enumerate(nodes)}


def _split(nodes: Collection[str], label: dict[str, int], bit: int) -> Parts:
    return tuple(tuple(node for node in nodes if label[node] >> bit & 1 == side) for side in (0, 1))


def _disjoint(pairs: Iterator[tuple[str, str]], idle: Collection[str]) -> Parts:
    """Choose pairs of idle nodes, none of them twice."""
    left, chosen = set(idle), []
    for pair in pairs:
        if left.issuperset(pair):
            left.difference_update(pair)
            chosen.append(pair)
    return tuple(chosen)


def _present(evidence: Evidence) -> list[tuple[frozenset[str], frozenset[str]]]:
    """Return each good group of more than two, with all who were in such groups of its round.

    One too near the gate to tell counts as good here, so that noise costs no round: what it hides comes up again when all measure together.
    """
    by_round: dict[int, list[frozenset[str]]] = {}
    for seen in evidence.seen:
        if len(seen.members) > PAIR:
            by_round.setdefault(seen.number, []).append(seen.members)
    present = {number: frozenset().union(*groups) for number, groups in by_round.items()}
    return [(seen.members, present[seen.number]) for seen in evidence.seen if (seen.good or seen.is_doubtful) and len(seen.members) > PAIR]
