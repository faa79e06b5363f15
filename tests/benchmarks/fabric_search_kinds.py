"""What is planted in the fleets of fabric_search.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from unit.module_utils.fabric.simulated_fabric import HINTS, Faults

RAILS = 4
STEADY = 0.7  # the share of the rounds in which an unsteady node is slow

Plant = Callable[[Random, Sequence[str]], Faults]


@dataclass(frozen=True)
class Kind:
    """A kind of fleet."""

    name: str
    plant: Plant
    faults: int = 1
    least: int = 3  # nodes
    rails: int = 1
    gated: bool = True
    steady: bool = True


def slowness(random: Random) -> float:
    """Choose what is left of the speed."""
    return random.uniform(0.5, 0.8)


def pair(random: Random, nodes: Sequence[str]) -> frozenset[str]:
    """Choose any two."""
    return frozenset(random.sample(nodes, 2))


def _neighbours(random: Random, nodes: Sequence[str]) -> frozenset[str]:
    place = random.randrange(len(nodes))
    return frozenset((nodes[place - 1], nodes[place]))


def _slow_node(random: Random, nodes: Sequence[str]) -> Faults:
    return Faults({random.choice(nodes): slowness(random)})


def _slow_pair(random: Random, nodes: Sequence[str]) -> Faults:
    return Faults(pairs={pair(random, nodes): slowness(random)})


def _rail_of_node(random: Random, nodes: Sequence[str]) -> Faults:
    return Faults(rails={(random.choice(nodes), random.randrange(RAILS)): slowness(random)})


def _several(count: int) -> Plant:
    """Plant so many faults at once, none of them hidden behind another."""

    def plant(random: Random, nodes: Sequence[str]) -> Faults:
        kinds = [random.choice(("slow", "hang", "absent", "died", "pair")) for _ in range(count)]
        faulty = random.sample(nodes, count)
        of = {kind: [node for node, its in zip(faulty, kinds) if its == kind] for kind in kinds}
        sick = set(faulty).difference(of.get("pair", ()))
        healthy = [node for node in nodes if node not in sick]
        pairs: dict[frozenset[str], float] = {}
        while len(pairs) < kinds.count("pair"):
            pairs[pair(random, healthy)] = slowness(random)
        slow = {node: slowness(random) for node in of.get("slow", ())}
        hangs = dict.fromkeys(of.get("hang", ()), 0.0)
        return Faults({**slow, **hangs}, pairs, frozenset(of.get("absent", ())), frozenset(of.get("died", ())), hint=random.choice(HINTS))

    return plant


KINDS = (
    Kind("healthy", lambda _random, _nodes: Faults(), 0),
    Kind("slow node", _slow_node),
    Kind("hanging node", lambda random, nodes: Faults({random.choice(nodes): 0.0}, hint=random.choice(HINTS))),
    Kind("absent node", lambda random, nodes: Faults(absent=frozenset((random.choice(nodes),)))),
    Kind("process died", lambda random, nodes: Faults(died=frozenset((random.choice(nodes),)))),
    Kind("slow pair", _slow_pair),
    Kind("hanging pair", lambda random, nodes: Faults(pairs={pair(random, nodes): 0.0})),
    Kind("slow pair, rings only", lambda random, nodes: Faults(pairs={_neighbours(random, nodes): slowness(random)}, in_ring=True)),
    Kind("slow rail of a node", _rail_of_node, least=4, rails=RAILS),
    Kind("slow rail of all", lambda random, _nodes: Faults(rails_of_all={random.randrange(RAILS): slowness(random)}), least=4, rails=RAILS),
    Kind("two at once", _several(2), 2, 8),
    Kind("three at once", _several(3), 3, 8),
    Kind("healthy, no gate", lambda _random, _nodes: Faults(), 0, gated=False),
    Kind("slow node, no gate", _slow_node, least=6, gated=False),
    Kind("slow pair, no gate", _slow_pair, least=6, gated=False),
    Kind("two at once, no gate", _several(2), 2, 8, gated=False),
    Kind(
        f"slow {STEADY:.0%} of the time",
        lambda random, nodes: Faults({random.choice(nodes): slowness(random)}, steady=STEADY),
        least=6,
        steady=False,
    ),
)
