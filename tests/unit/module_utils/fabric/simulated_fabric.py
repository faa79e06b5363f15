"""A fabric with planted faults, that measures what the search asks for. Figures are in GB/s."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.fabric.conclusion import Conclusion
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.plan import most_rounds, next_round
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rounds import Fabric, Group, Outcome, Round

FULL = 400.0
FRACTION = 0.9
HINTS = ("its own", "all", "random")


@dataclass(frozen=True)
class Faults:
    """What is planted. A factor is the share of the full speed that is left; 0 is a hang."""

    nodes: Mapping[str, float] = field(default_factory=dict)
    pairs: Mapping[frozenset[str], float] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    died: frozenset[str] = frozenset()
    rails: Mapping[tuple[str, int], float] = field(default_factory=dict)
    rails_of_all: Mapping[int, float] = field(default_factory=dict)
    steady: float = 1.0  # the share of the rounds in which slow nodes are slow
    in_ring: bool = False  # a bad pair slows only groups in whose ring the two are neighbours
    hint: str = "its own"  # whom a hang shows as stuck


@dataclass
class SimulatedFabric:
    """Measures groups, with noise."""

    nodes: tuple[str, ...]
    faults: Faults = Faults()
    noise: float = 0.0
    rails: int = 1
    seed: int = 0
    gated: bool = True

    def __post_init__(self) -> None:
        """Make what stays the same over a search."""
        self.fabric = Fabric(self.nodes, self.rails, FULL * FRACTION if self.gated else None, FRACTION)
        self.random = Random(self.seed)
        self.results: list[tuple[Round, tuple[Outcome, ...]]] = []

    def search(self) -> Conclusion:
        """Measure round after round, until there is a conclusion."""
        while True:
            planned = next_round(self.fabric, self.results)
            if isinstance(planned, Conclusion):
                return planned
            check(self.fabric, self.results, planned)
            self.measure_all(planned)

    def measure_all(self, planned: Round) -> None:
        """Measure one round."""
        well = {node for node in self.faults.nodes if self.random.random() >= self.faults.steady}
        self.results.append((planned, tuple(self.measure(group, well) for group in planned.groups)))

    def measure(self, group: Group, well: set[str]) -> Outcome:
        """Measure one group; nodes that are well show no fault in this round."""
        members = frozenset(group.nodes)
        absent, died = members & self.faults.absent, members & self.faults.died
        if absent or died:
            return Outcome(group, None, tuple(sorted(absent)), tuple(sorted(died)), why="no answer")
        factor = min(self._factors(group, members, well), default=1.0)
        if factor == 0:
            return Outcome(group, None, stuck=self._stuck(group), why="deadline")
        full = FULL if group.rail is None else FULL / self.rails
        return Outcome(group, max(full * factor * self.random.gauss(1, self.noise), 1.0), transport="NET/IB")

    def _factors(self, group: Group, members: frozenset[str], well: set[str]) -> list[float]:
        faults = self.faults
        factors = [factor for node, factor in faults.nodes.items() if node in members and node not in well]
        factors += [factor for pair, factor in faults.pairs.items() if pair <= members and (not faults.in_ring or _adjacent(group, pair))]
        factors += [factor for (node, rail), factor in faults.rails.items() if node in members and group.rail in (None, rail)]
        return factors + [factor for rail, factor in faults.rails_of_all.items() if group.rail in (None, rail)]

    def _stuck(self, group: Group) -> tuple[str, ...]:
        if self.faults.hint == "all":
            return group.nodes
        own = tuple(node for node in group.nodes if self.faults.nodes.get(node) == 0)
        return own if self.faults.hint == "its own" else (self.random.choice(group.nodes),)


def check(fabric: Fabric, results: list[tuple[Round, tuple[Outcome, ...]]], planned: Round) -> None:
    """Hold a round against what is promised of every round."""
    members = [node for group in planned.groups for node in group.nodes]
    gone = {node for _round, outcomes in results for outcome in outcomes for node in (*outcome.absent, *outcome.died)}
    assert planned.groups
    assert all(len(group.nodes) > 1 for group in planned.groups)
    assert len(set(members)) == len(members)
    assert set(members) <= set(fabric.nodes) - gone
    assert planned.number == len(results) < most_rounds(len(fabric.nodes), fabric.rails)


def accused(conclusion: Conclusion) -> tuple[set[str], set[frozenset[str]]]:
    """Name the nodes and pairs at fault."""
    return {bad.node for bad in conclusion.bad_nodes}, {frozenset(bad.nodes) for bad in conclusion.bad_pairs}


def is_settled(conclusion: Conclusion) -> bool:
    """Say whether nothing is left open."""
    return not (conclusion.undecided or conclusion.undecided_pairs or conclusion.unmeasured or conclusion.unexplained or conclusion.stopped)


def assert_found(count: int, faults: Faults, **how: Any) -> Conclusion:
    """Search, and hold the conclusion against what was planted."""
    conclusion = SimulatedFabric(names(count), faults, **how).search()
    planted = {*faults.nodes, *faults.absent, *faults.died}
    assert accused(conclusion) == (planted, set(faults.pairs))
    assert is_settled(conclusion)
    assert set(conclusion.good) == set(names(count)) - planted
    return conclusion


def hidden(faults: Faults, conclusion: Conclusion) -> int:
    """Count the planted faults of which a conclusion says nothing at all, neither of a node of theirs nor of all."""
    if conclusion.everywhere:
        return 0
    told = {bad.node for bad in conclusion.bad_nodes} | {node for bad in conclusion.bad_pairs for node in bad.nodes}
    told |= {node for measured in conclusion.unexplained for node in measured.nodes}
    told |= {node for pair in conclusion.undecided_pairs for node in pair.nodes} | {*conclusion.undecided, *conclusion.unmeasured}
    nodes = {*faults.nodes, *faults.absent, *faults.died, *(node for node, _rail in faults.rails)}
    of_all = len(faults.rails_of_all) * (not conclusion.bad_rails)
    return len(nodes - told) + sum(pair.isdisjoint(told) for pair in faults.pairs) + of_all


def names(count: int) -> tuple[str, ...]:
    """Name so many nodes."""
    return tuple(f"n{place:05}" for place in range(count))


def _adjacent(group: Group, pair: frozenset[str]) -> bool:
    one, other = (group.nodes.index(node) for node in pair)
    return abs(one - other) in (1, len(group.nodes) - 1)
