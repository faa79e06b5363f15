"""Whether a group's figure is good: against the gate, or where there is none against what groups of like size measured in this run."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median

from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rounds import Fabric, Group, Outcome, Round

Results = Sequence[tuple[Round, tuple[Outcome, ...]]]

_DOUBT = 0.97  # between this part of the gate and the gate, noise may have decided: the mean of two tells
_FAST = 0.9  # this quantile of the figures is healthy: of up to ten, the highest
_LIKE = 2.5  # times as many nodes at most make a group of like size: halves of a whole are, whatever was busy or odd


@dataclass(frozen=True)
class Seen:
    """What one group of one round showed."""

    number: int  # of the round
    members: frozenset[str]
    outcome: Outcome
    gate_gb_s: float | None
    good: bool | None  # None: too near the gate to tell, or nothing to compare with

    @property
    def is_doubtful(self) -> bool:
        """Say whether it was too near the gate to tell."""
        return self.good is None and self.gate_gb_s is not None


def judged(fabric: Fabric, results: Results) -> list[Seen]:
    """Judge what was measured over all rails together.

    A group with a node that was not there, or whose process died, shows nothing about the others and is left out.
    """
    told = [
        (round_.number, frozenset(group.nodes), outcome)
        for round_, outcomes in results
        for group, outcome in _paired(round_, outcomes)
        if group.rail is None and not (outcome.absent or outcome.died)
    ]
    repeats: dict[frozenset[str], list[float]] = defaultdict(list)
    for _number, members, outcome in told:
        if outcome.busbw_gb_s is not None:
            repeats[members].append(outcome.busbw_gb_s)
    gates = _Gates(fabric, repeats)
    seen = []
    for number, members, outcome in told:
        gate = gates.of(len(members))
        seen.append(Seen(number, members, outcome, gate, _good(outcome, gate, repeats[members])))
    return seen


def _paired(round_: Round, outcomes: Iterable[Outcome]) -> Iterable[tuple[Group, Outcome]]:
    """Give each group its outcome; a group whose outcome was lost gave no figure."""
    by_group = {outcome.group: outcome for outcome in outcomes}
    for group in round_.groups:
        yield group, by_group.get(group) or Outcome(group, None, why="nothing was heard of this group")


def _good(outcome: Outcome, gate: float | None, repeats: Sequence[float]) -> bool | None:
    if outcome.wrong or outcome.busbw_gb_s is None:
        return False
    if gate is None:
        return None
    doubtful = _DOUBT * gate <= outcome.busbw_gb_s < gate
    if doubtful and len(repeats) == 1:
        return None
    if doubtful or len(outcome.group.nodes) > 2:  # noqa: PLR2004 - of pairs each measurement counts: an unsteady one is seen so
        return mean(repeats) >= gate
    return outcome.busbw_gb_s >= gate


class _Gates:
    """The gate for a group of so many nodes."""

    def __init__(self, fabric: Fabric, repeats: Mapping[frozenset[str], Sequence[float]]) -> None:
        """Sort the figures by the sizes of their groups. One that measured often counts once."""
        self._fabric = fabric
        self._figures: dict[int, list[tuple[frozenset[str], float]]] = defaultdict(list)
        for members, figures in repeats.items():
            if figures:
                self._figures[len(members)].append((members, mean(figures)))
        self._known: dict[int, float | None] = {}

    def of(self, size: int) -> float | None:
        """Return the gate in GB/s, None where there is nothing to compare with."""
        if self._fabric.gate_gb_s is not None:
            return self._fabric.gate_gb_s
        if size not in self._known:
            self._known[size] = self._compared(size)
        return self._known[size]

    def _compared(self, size: int) -> float | None:
        """Compare with groups of like size, with no node in all of them: what is in all would hide."""
        alike = [each for other, several in self._figures.items() if max(other, size) <= _LIKE * min(other, size) for each in several]
        if not alike or frozenset.intersection(*(members for members, _figure in alike)):
            return None
        return usual((figure for _members, figure in alike), self._fabric.fraction) * self._fabric.fraction


def usual(figures: Iterable[float], fraction: float) -> float:
    """Return what healthy groups measure: the median of those that are not plainly slower than the fastest tenth.

    That holds with few groups, of which several may hold one fault, and with many slow ones.
    """
    ordered = sorted(figures)
    least = ordered[math.ceil(_FAST * len(ordered)) - 1] * fraction
    return median(figure for figure in ordered if figure >= least)
