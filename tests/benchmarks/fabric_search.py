"""How well the search of a fabric finds what is planted: `python tests/benchmarks/fabric_search.py [--fleets 3400]`.

Simulated fleets, with 3 % noise on every figure; see tests/unit/module_utils/fabric/simulated_fabric.py for the model.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "tests")]

from ansible_collections.gpu.fleet.plugins.module_utils.fabric.conclusion import Conclusion  # noqa: E402 - after the path
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.plan import most_rounds, next_round  # noqa: E402
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.proof import rounds_of_one  # noqa: E402
from fabric_search_figure import draw  # noqa: E402
from fabric_search_kinds import KINDS, pair  # noqa: E402
from unit.module_utils.fabric.simulated_fabric import Faults, SimulatedFabric, hidden, names  # noqa: E402

NOISE = 0.03
SIZES = ((3, 7), (8, 63), (64, 1023), (1024, 10_000))
MANY = 1000  # nodes: fewer fleets for the figure
DRAWN = (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 10_000)


@dataclass(frozen=True)
class Result:
    """What one search gave."""

    kind: str
    steady: bool
    nodes: int
    planted: int
    found: int
    hidden: int  # faults of which nothing at all is said
    accused: int  # healthy nodes called faulty, or healthy rails
    in_pair: int  # healthy nodes in a pair called faulty
    open: bool  # something healthy is left undecided or unexplained
    rounds: int  # those of single rails left out
    stopped: bool
    slowest_s: float  # call of next_round, of CPU time


def search(task: tuple[int, int, int]) -> Result:
    """Search one fleet."""
    which, seed, largest = task
    kind = KINDS[which]
    random = Random(f"{kind.name} {seed}")
    count = round(kind.least * (largest / kind.least) ** random.random())
    faults = kind.plant(random, names(count))
    fleet = SimulatedFabric(names(count), faults, NOISE, kind.rails, seed, kind.gated)
    conclusion, slowest = _timed(fleet)
    bad = set(faults.nodes) | faults.absent | faults.died | {node for node, _rail in faults.rails}
    accused, pairs = {bad.node for bad in conclusion.bad_nodes}, {frozenset(pair.nodes) for pair in conclusion.bad_pairs}
    rails = {(bad.node, rail) for bad in conclusion.bad_nodes for rail in bad.rails}
    of_all = set(conclusion.bad_rails)
    return Result(
        kind.name,
        kind.steady,
        count,
        kind.faults,
        found=(len(set(faults.rails) & rails) or len(bad & accused))
        + len(set(faults.pairs) & pairs)
        + len(set(faults.rails_of_all) & of_all),
        hidden=hidden(faults, conclusion),
        accused=len(accused - bad) + len(rails - set(faults.rails)) + len(of_all - set(faults.rails_of_all)),
        in_pair=len(frozenset().union(*(pairs - set(faults.pairs))) - bad),
        open=bool(conclusion.unexplained or conclusion.undecided_pairs or set(conclusion.undecided) - bad) and not of_all,
        rounds=sum(all(group.rail is None for group in round_.groups) for round_, _outcomes in fleet.results),
        stopped=conclusion.stopped,
        slowest_s=slowest,
    )


def _timed(fleet: SimulatedFabric) -> tuple[Conclusion, float]:
    slowest = 0.0
    while True:
        start = time.process_time()
        planned = next_round(fleet.fabric, fleet.results)
        slowest = max(slowest, time.process_time() - start)
        if isinstance(planned, Conclusion):
            return planned, slowest
        fleet.measure_all(planned)


def report(results: Sequence[Result]) -> None:
    """Print recall, false accusations and rounds."""
    sizes = "".join(f"{f'N {low}-{high}':>13}" for low, high in SIZES)
    print(f"{'':24}{'fleets':>7}{'recall':>9}{sizes}{'hidden':>8}{'accused':>9}{'open':>6}{'rounds':>8}{'over bound':>12}")
    for kind in KINDS:
        mine = [result for result in results if result.kind == kind.name]
        if not mine:
            continue
        by_size = [_recall([result for result in mine if low <= result.nodes <= high]) for low, high in SIZES]
        over = [result.rounds - rounds_of_one(result.nodes) for result in mine]
        print(
            f"{kind.name:24}{len(mine):7}{_recall(mine):>9}"
            + "".join(f"{share:>13}" for share in by_size)
            + f"{sum(result.hidden for result in mine):8}{sum(result.accused + result.in_pair for result in mine):9}"
            + f"{sum(result.open for result in mine):6}{sum(result.rounds for result in mine) / len(mine):8.1f}"
            + f"{sum(more > 0 for more in over):8}, {max(over):+d}"
        )
    for what in ("steady", "unsteady"):
        share = [result for result in results if result.steady == (what == "steady")]
        wrong, verdicts = sum(result.accused + result.in_pair for result in share), sum(result.nodes for result in share)
        print(f"{what} faults: {wrong} healthy nodes accused of {verdicts:,} verdicts on nodes in {len(share):,} searches")
    print(f"searches stopped at the stated maximum: {sum(result.stopped for result in results)}")
    print(f"slowest call of next_round: {max(result.slowest_s for result in results):.2f} s of CPU time")


def _recall(results: Sequence[Result]) -> str:
    planted = sum(result.planted for result in results)
    return f"{sum(result.found for result in results) / planted:.2%}" if planted else "-"


def rounds_of_pair(nodes: int, fleets: int) -> int:
    """Return the most rounds of this search for one slow pair, without noise."""
    random = Random(nodes)
    plants = [Faults(pairs={pair(random, names(nodes)): 0.7}) for _fleet in range(fleets)]
    return max(SimulatedFabric(names(nodes), faults).search().rounds for faults in plants)


def random_rounds(nodes: int) -> int:
    """Return after how many rounds of random pairs a given pair has measured once, in 95 of 100 fleets."""
    return math.ceil(math.log(0.05) / math.log1p(-1 / (nodes - 1)))


def figure(path: Path) -> None:
    """Draw rounds against the number of nodes, and print what is drawn."""
    ours = {nodes: rounds_of_pair(nodes, 200 if nodes < MANY else 40) for nodes in DRAWN}
    lines = {
        "random pairs": [(nodes, float(random_rounds(nodes))) for nodes in DRAWN],
        "all pairs": [(nodes, nodes - 1.0) for nodes in DRAWN],
        "this search": [(nodes, float(most)) for nodes, most in ours.items()],
    }
    path.write_text(draw(lines), encoding="utf-8")
    for nodes, most in ours.items():
        stated = f"stated {rounds_of_one(nodes)} (several faults: {most_rounds(nodes)})"
        print(f"N {nodes:6}: this search {most}, {stated}; random pairs {random_rounds(nodes)}, all pairs {nodes - 1}")


def main() -> None:
    """Search, print, draw."""
    parser = argparse.ArgumentParser(description="Search simulated fabrics with planted faults.")
    parser.add_argument("--fleets", type=int, default=3400, help="how many, over all kinds (default 3400)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--largest", type=int, default=10_000, help="nodes of the largest fleet (default 10000)")
    parser.add_argument("--processes", type=int, default=2, help="at the same time (default 2)")
    parser.add_argument("--figure", type=Path, help="write the figure of rounds against N there")
    options = parser.parse_args()
    seeds = range(options.first, options.first - (-options.fleets // len(KINDS)))
    with multiprocessing.Pool(options.processes) as pool:
        tasks = [(which, seed, options.largest) for seed in seeds for which in range(len(KINDS))]
        results = pool.map(search, tasks, chunksize=8)
    report(results)
    if options.figure:
        figure(options.figure)


if __name__ == "__main__":
    main()
