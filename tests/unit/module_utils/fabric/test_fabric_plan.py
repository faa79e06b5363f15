"""The search as a whole, on simulated fabrics: what is planted is found, nobody else is accused, and within the stated rounds."""

from __future__ import annotations

import itertools
from random import Random

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.conclusion import ABSENT, DIED, HANG, SLOW, WRONG
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.plan import next_round
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.proof import rounds_of_one
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rounds import Fabric, Outcome, Round
from unit.module_utils.fabric.simulated_fabric import HINTS, Faults, SimulatedFabric, accused, assert_found, names

SMALL = (3, 4, 5, 6, 7, 8, 9, 11, 12)
NOISE = 0.03


@pytest.mark.parametrize("count", [1, 2, 3, 10, 1000])
def test_a_healthy_fabric_takes_one_round(count: int) -> None:
    conclusion = assert_found(count, Faults()) if count > 1 else SimulatedFabric(names(1)).search()
    assert conclusion.rounds == (count > 1)


@pytest.mark.parametrize("count", SMALL)
def test_every_single_node_is_found(count: int) -> None:
    for node, factor in itertools.product(names(count), (0.7, 0.0)):
        assert assert_found(count, Faults({node: factor})).rounds <= rounds_of_one(count)


@pytest.mark.parametrize("count", SMALL)
def test_every_single_pair_is_found(count: int) -> None:
    for pair in itertools.combinations(names(count), 2):
        assert assert_found(count, Faults(pairs={frozenset(pair): 0.7})).rounds <= rounds_of_one(count)


@pytest.mark.parametrize("count", SMALL)
def test_a_pair_that_only_slows_rings_in_which_they_are_neighbours(count: int) -> None:
    nodes = names(count)
    for place in range(count):
        pair = frozenset((nodes[place - 1], nodes[place]))
        assert assert_found(count, Faults(pairs={pair: 0.7}, in_ring=True)).rounds <= rounds_of_one(count)


KINDS = {
    SLOW: lambda nodes: Faults({nodes[0]: 0.7}),
    HANG: lambda nodes: Faults({nodes[0]: 0.0}),
    ABSENT: lambda nodes: Faults(absent=frozenset(nodes[:1])),
    DIED: lambda nodes: Faults(died=frozenset(nodes[:1])),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(8))
def test_a_node_is_found_in_noise_and_told_by_its_kind(kind: str, seed: int) -> None:
    count = (3, 20, 75, 600)[seed % 4]
    faults = KINDS[kind](Random(seed).sample(names(count), 1))
    conclusion = assert_found(count, faults, noise=NOISE, seed=seed)
    assert [bad.kind for bad in conclusion.bad_nodes] == [kind]
    assert conclusion.rounds <= rounds_of_one(count)


@pytest.mark.parametrize("factor", [0.5, 0.8, 0.0])
@pytest.mark.parametrize("seed", range(8))
def test_a_pair_is_found_in_noise(factor: float, seed: int) -> None:
    count = (5, 33, 64, 500)[seed % 4]
    pair = frozenset(Random(seed).sample(names(count), 2))
    conclusion = assert_found(count, Faults(pairs={pair: factor}), noise=NOISE, seed=seed)
    assert [bad.kind for bad in conclusion.bad_pairs] == [SLOW if factor else HANG]
    assert conclusion.rounds <= rounds_of_one(count)


@pytest.mark.parametrize("seed", range(12))
def test_several_at_once(seed: int) -> None:
    count = (16, 50, 200)[seed % 3]
    slow, hanging, absent, died, *rest = Random(seed).sample(names(count), 8)
    several = (
        Faults({slow: 0.6, hanging: 0.0}, absent=frozenset((absent,)), hint=HINTS[seed % 3]),
        Faults({slow: 0.6}, {frozenset(rest[:2]): 0.7}, died=frozenset((died,))),
        Faults(pairs={frozenset(rest[:2]): 0.6, frozenset(rest[2:]): 0.7}),
    )
    assert_found(count, several[seed // 4], noise=NOISE, seed=seed)


def test_a_node_in_two_bad_pairs_is_told_of_at_least_one() -> None:
    """A pair that is found with all rounds used up is left out of the last measurement, and with it the other one."""
    for seed in range(6):
        nodes = Random(seed).sample(names(30), 3)
        pairs = {frozenset(nodes[:2]), frozenset(nodes[1:])}
        conclusion = SimulatedFabric(names(30), Faults(pairs=dict.fromkeys(pairs, 0.7)), NOISE, seed=seed).search()
        bad_nodes, bad_pairs = accused(conclusion)
        assert not bad_nodes
        assert bad_pairs
        assert bad_pairs <= pairs


@pytest.mark.parametrize("hint", HINTS)
def test_whom_a_hang_shows_as_stuck_decides_nothing(hint: str) -> None:
    for seed in range(5):
        assert_found(23, Faults({names(23)[seed]: 0.0}, hint=hint), seed=seed)


def test_a_wrong_sum_is_a_fault_at_full_speed() -> None:
    fleet = SimulatedFabric(names(8))
    while isinstance(planned := next_round(fleet.fabric, fleet.results), Round):
        outcomes = [Outcome(group, 400.0, wrong=group.nodes if "n00003" in group.nodes else ()) for group in planned.groups]
        fleet.results.append((planned, tuple(outcomes)))
    assert [(bad.node, bad.kind) for bad in planned.bad_nodes] == [("n00003", WRONG)]


@pytest.mark.parametrize("count", [3, 4, 6, 7, 25, 49, 120])
def test_without_a_gate_groups_of_like_size_are_compared(count: int) -> None:
    nodes = names(count)
    for fault in (Faults(), Faults({nodes[-1]: 0.7}), Faults(pairs={frozenset((nodes[0], nodes[count // 2])): 0.7})):
        assert_found(count, fault, gated=False)


def test_without_a_gate_nothing_compares_with_two_nodes() -> None:
    conclusion = SimulatedFabric(names(2), gated=False).search()
    assert (conclusion.good, conclusion.undecided) == ((), names(2))


def test_of_two_slow_nodes_nobody_knows_which() -> None:
    conclusion = SimulatedFabric(names(2), Faults({"n00000": 0.7})).search()
    assert accused(conclusion) == (set(), set())
    assert conclusion.everywhere
    assert (conclusion.good, conclusion.undecided) == ((), names(2))
    assert len(conclusion.undecided_pairs) == 1


def test_where_one_of_two_is_gone_the_other_is_not_measured() -> None:
    conclusion = SimulatedFabric(names(2), Faults(absent=frozenset(("n00001",)))).search()
    assert accused(conclusion) == ({"n00001"}, set())
    assert (conclusion.good, conclusion.unmeasured) == ((), ("n00000",))


def test_where_all_are_slow_nobody_is_blamed() -> None:
    for count in (3, 8, 40):
        conclusion = SimulatedFabric(names(count), Faults(dict.fromkeys(names(count), 0.6)), noise=NOISE).search()
        assert conclusion.everywhere
        assert accused(conclusion) == (set(), set())
        assert not conclusion.good


def test_a_slow_rail_is_named() -> None:
    for seed in range(4):
        node = f"n{seed * 5:05}"
        conclusion = SimulatedFabric(names(20), Faults(rails={(node, seed): 0.6}), NOISE, rails=4, seed=seed).search()
        assert [(bad.node, bad.rails) for bad in conclusion.bad_nodes] == [(node, (seed,))]


def test_a_rail_that_is_slow_between_all_blames_no_node() -> None:
    conclusion = SimulatedFabric(names(20), Faults(rails_of_all={2: 0.6}), NOISE, rails=4).search()
    assert conclusion.bad_rails == (2,)
    assert accused(conclusion) == (set(), set())


def test_a_pair_stays_proven_while_its_rails_are_measured() -> None:
    for pair in itertools.combinations(names(8), 2):
        conclusion = SimulatedFabric(names(8), Faults(pairs={frozenset(pair): 0.7}), rails=4).search()
        assert [(bad.nodes, bad.rails) for bad in conclusion.bad_pairs] == [(pair, ())]
        assert conclusion.rounds <= rounds_of_one(8) + 8


def test_the_same_results_give_the_same_round() -> None:
    fleet = SimulatedFabric(names(40), Faults({"n00007": 0.7}, {frozenset(("n00010", "n00021")): 0.6}), NOISE)
    fleet.search()
    for length, (planned, _outcomes) in enumerate(fleet.results):
        assert next_round(fleet.fabric, fleet.results[:length]) == planned


def test_a_node_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="found a node twice"):
        next_round(Fabric(("a", "a")), [])


def test_an_outcome_that_was_lost_is_no_good_one() -> None:
    fabric = Fabric(names(2), gate_gb_s=360.0)
    results: list[tuple[Round, tuple[Outcome, ...]]] = []
    while isinstance(planned := next_round(fabric, results), Round):
        results.append((planned, ()))
    assert planned.everywhere
    assert not planned.good
