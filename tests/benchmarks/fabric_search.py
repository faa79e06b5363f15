"""How well the search of a fabric finds what is planted: `python tests/benchmarks/fabric_search.py [--fleets 3000] [--figure docs/fabric_search.svg]`.

Fleets of 3 to 10,000 simulated nodes, with 3 % noise on every figure; see tests/unit/module_utils/fabric/simulated_fabric.py for the model.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "tests")]

from ansible_collections.gpu.fleet.plugins.module_utils.fabric.conclusion import Conclusion  # noqa: E402 - after the path
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.halves import bits  # noqa: E402
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.plan import most_rounds, next_round  # noqa: E402
from fabric_search_figure import draw  # noqa: E402
from unit.module_utils.fabric.simulated_fabric import HINTS, Faults, SimulatedFabric, names  # noqa: E402

NOISE = 0.03
LARGEST = 10_000
RAILS = 4
SIZES = ((3, 7), (8, 63), (64, 1023), (1024, LARGEST))
DRAWN = (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 10_000)
STEADY = 0.7


def slowness(random: Random) -> float:
    """Choose what is left of the speed."""
    return random.uniform(0.5, 0.8)


def _pair(random: Random, nodes: Sequence[str]) -> frozenset[str]:
    return frozenset(random.sample(nodes, 2))


def _neighbours(random: Random, nodes: Sequence[str]) -> frozenset[str]:
    place = random.randrange(len(nodes))
    return frozenset((nodes[place - 1], nodes[place]))


def _several(count: int) -> Callable[[Random, Sequence[str]], Faults]:
    """Plant so many faults at once, none of them hidden behind another."""

    def plant(random: Random, nodes: Sequence[str]) -> Faults:
        kinds = [random.choice(("slow", "hang", "absent", "died", "pair")) for _ in range(count)]
        faulty = random.sample(nodes, count)
        of = {kind: [node for node, its in zip(faulty, kinds) if its == kind] for kind in kinds}
        sick = set(faulty).difference(of.get("pair", ()))
        healthy = [node for node in nodes if node not in sick]
        pairs: dict[frozenset[str], float] = {}
        while len(pairs) < kinds.count("pair"):
            pairs[_pair(random, healthy)] = slowness(random)
        slow = {node: slowness(random) for node in of.get("slow", ())}
        hangs = dict.fromkeys(of.get("hang", ()), 0.0)
        return Faults({**slow, **hangs}, pairs, frozenset(of.get("absent", ())), frozenset(of.get("died", ())), hint=random.choice(HINTS))

    return plant


@dataclass(frozen=True)
class Kind:
    """A kind of fleet."""

    name: str
    plant: Callable[[Random, Sequence[str]], Faults]
    faults: int = 1
    least: int = 3  # nodes
    rails: int = 1
    gated: bool = True


KINDS = (
    Kind("healthy", lambda _random, _nodes: Faults(), 0),
    Kind("slow node", lambda random, nodes: Faults({random.choice(nodes): slowness(random)})),
    Kind("hanging node", lambda random, nodes: Faults({random.choice(nodes): 0.0}, hint=random.choice(HINTS))),
    Kind("absent node", lambda random, nodes: Faults(absent=frozenset((random.choice(nodes),)))),
    Kind("process died", lambda random, nodes: Faults(died=frozenset((random.choice(nodes),)))),
    Kind("slow pair", lambda random, nodes: Faults(pairs={_pair(random, nodes): slowness(random)})),
    Kind("hanging pair", lambda random, nodes: Faults(pairs={_pair(random, nodes): 0.0})),
    Kind("slow pair, rings only", lambda random, nodes: Faults(pairs={_neighbours(random, nodes): slowness(random)}, in_ring=True)),
    Kind(
        "slow rail of a node",
        lambda random, nodes: Faults(rails={(random.choice(nodes), random.randrange(RAILS)): slowness(random)}),
        1,
        4,
        RAILS,
    ),
    Kind("slow rail of all", lambda random, _nodes: Faults(rails_of_all={random.randrange(RAILS): slowness(random)}), 1, 4, RAILS),
    Kind("two at once", _several(2), 2, 8),
    Kind("three at once", _several(3), 3, 8),
    Kind("slow node, no gate", lambda random, nodes: Faults({random.choice(nodes): slowness(random)}), 1, 6, gated=False),
    Kind("slow pair, no gate", lambda random, nodes: Faults(pairs={_pair(random, nodes): slowness(random)}), 1, 6, gated=False),
    Kind("slow in 70 % of rounds", lambda random, nodes: Faults({random.choice(nodes): slowness(random)}, steady=STEADY), 1, 6),
)


@dataclass(frozen=True)
class Result:
    """What one search gave."""

    kind: str
    nodes: int
    planted: int
    found: int
    accused: int  # healthy nodes called faulty
    in_pair: int  # healthy nodes in a pair called faulty
    verdicts: int
    rounds: int  # those of single rails left out
    stopped: bool
    unproven: int  # healthy nodes that are left undecided, or with the whole unexplained
    slowest_s: float  # call of next_round


def search(task: tuple[int, int]) -> Result:
    """Search one fleet."""
    which, seed = task
    kind, random = KINDS[which], Random(f"{which} {seed}")
    count = round(kind.least * (LARGEST / kind.least) ** random.random())
    nodes = names(count)
    faults = kind.plant(random, nodes)
    fleet = SimulatedFabric(nodes, faults, NOISE, kind.rails, seed, kind.gated)
    conclusion, slowest = _timed(fleet)
    bad = set(faults.nodes) | faults.absent | faults.died | {node for node, _rail in faults.rails}
    rails = {(bad.node, rail) for bad in conclusion.bad_nodes for rail in bad.rails}
    accused, pairs = {bad.node for bad in conclusion.bad_nodes}, {frozenset(pair.nodes) for pair in conclusion.bad_pairs}
    found = len(bad & accused) if not faults.rails else len(set(faults.rails) & rails)
    return Result(
        kind.name,
        count,
        kind.faults,
        found + len(set(faults.pairs) & pairs) + len(set(faults.rails_of_all) & set(conclusion.bad_rails)),
        len(accused - bad) + len(rails - set(faults.rails)) + len(set(conclusion.bad_rails) - set(faults.rails_of_all)),
        len(frozenset().union(*(pairs - set(faults.pairs))) - bad),
        count,
        sum(all(group.rail is None for group in round_.groups) for round_, _outcomes in fleet.results),
        conclusion.stopped,
        0
        if conclusion.bad_rails
        else len((set(conclusion.undecided) | set(conclusion.unmeasured)) - bad) + count * bool(conclusion.unexplained),
        slowest,
    )


def _timed(fleet: SimulatedFabric) -> tuple[Conclusion, float]:
    slowest = 0.0
    while True:
        start = time.perf_counter()
        planned = next_round(fleet.fabric, fleet.results)
        slowest = max(slowest, time.perf_counter() - start)
        if isinstance(planned, Conclusion):
            return planned, slowest
        fleet.measure_all(planned)


def report(results: Sequence[Result]) -> None:
    """Print recall, false accusations and rounds."""
    print(
        f"{'':24}{'fleets':>7}{'recall':>9}"
        + "".join(f"{f'N {low}-{high}':>13}" for low, high in SIZES)
        + f"{'rounds':>8}{'over bound':>12}{'open':>6}"
    )
    for kind in KINDS:
        mine = [result for result in results if result.kind == kind.name]
        if not mine:
            continue
        by_size = [_recall([result for result in mine if low <= result.nodes <= high]) for low, high in SIZES]
        over = [result.rounds - bits(result.nodes) - 4 for result in mine]
        print(
            f"{kind.name:24}{len(mine):7}{_recall(mine):>9}"
            + "".join(f"{share:>13}" for share in by_size)
            + f"{sum(result.rounds for result in mine) / len(mine):8.1f}{sum(more > 0 for more in over):6}, {max(over):+3d}"
            + f"{sum(result.unproven > 0 for result in mine):6}"
        )
    steady = [result for result in results if "70 %" not in result.kind]
    for what, share in (("without", steady), ("with", results)):
        print(
            f"healthy nodes accused {what} the unsteady: {sum(result.accused for result in share)}, in a pair {sum(result.in_pair for result in share)}, "
            f"of {sum(result.verdicts for result in share):,} verdicts on nodes in {len(share):,} searches"
        )
    print(f"searches stopped at the stated maximum: {sum(result.stopped for result in results)}")
    print(f"slowest call of next_round: {max(result.slowest_s for result in results):.2f} s")


def _recall(results: Sequence[Result]) -> str:
    planted = sum(result.planted for result in results)
    return f"{sum(result.found for result in results) / planted:.2%}" if planted else "-"


def rounds_of_pair(nodes: int, fleets: int) -> tuple[int, float]:
    """Return the rounds for one slow pair without noise: the most that occurred, and the mean with pairs chosen at random."""
    random = Random(nodes)
    most, at_random = 0, 0
    for seed in range(fleets):
        pair = _pair(random, names(nodes))
        fleet = SimulatedFabric(names(nodes), Faults(pairs={pair: 0.7}), seed=seed)
        most = max(most, fleet.search().rounds)
        at_random += 1
        while random.randrange(nodes - 1):  # one of the N - 1 equally likely partners
            at_random += 1
    return most, at_random / fleets


def main() -> None:
    """Search, print, draw."""
    parser = argparse.ArgumentParser(description="Search simulated fabrics with planted faults.")
    parser.add_argument("--fleets", type=int, default=3000, help="how many, over all kinds (default 3000)")
    parser.add_argument("--processes", type=int, default=2, help="at the same time (default 2)")
    parser.add_argument("--figure", type=Path, help="write the figure of rounds against N there")
    options = parser.parse_args()
    tasks = [(which, seed) for seed in range(-(-options.fleets // len(KINDS))) for which in range(len(KINDS))]
    with multiprocessing.Pool(options.processes) as pool:
        results = pool.map(search, tasks, chunksize=8)
    report(results)
    if options.figure:
        drawn = [(nodes, *rounds_of_pair(nodes, 200 if nodes < 1000 else 40)) for nodes in DRAWN]
        lines = {
            "all pairs": [(nodes, nodes - 1.0) for nodes in DRAWN],
            "random pairs, mean": [(nodes, at_random) for nodes, _most, at_random in drawn],
            "stated for one fault: ⌈log₂ N⌉ + 4": [(nodes, bits(nodes) + 4.0) for nodes in DRAWN],
            "this search, most that occurred": [(nodes, float(most)) for nodes, most, _random in drawn],
        }
        options.figure.write_text(draw(lines), encoding="utf-8")
        for nodes, most, at_random in drawn:
            print(
                f"N {nodes:6}: this search at most {most}, stated {bits(nodes) + 4} (several faults: {most_rounds(nodes)}), random pairs {at_random:.1f}, all pairs {nodes - 1}"
            )


if __name__ == "__main__":
    main()
