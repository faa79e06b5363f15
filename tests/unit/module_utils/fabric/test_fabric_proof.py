"""A pair must hold out after it came under suspicion: an unsteady node can look like one."""

from __future__ import annotations

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.plan import next_round
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rounds import Outcome, Round
from unit.module_utils.fabric.simulated_fabric import Faults, SimulatedFabric, accused, names

NOISE = 0.03


@pytest.mark.parametrize("steady", [0.4, 0.7])
def test_an_unsteady_node_rarely_takes_a_healthy_one_with_it(steady: float) -> None:
    with_another = 0
    for seed in range(60):
        fleet = SimulatedFabric(names(24), Faults({names(24)[seed % 24]: 0.6}, steady=steady), NOISE, seed=seed)
        conclusion = fleet.search()
        nodes, pairs = accused(conclusion)
        assert nodes <= set(fleet.faults.nodes)
        assert all(pair & set(fleet.faults.nodes) for pair in pairs)
        with_another += len(pairs)
    assert with_another <= 9


def test_while_rounds_are_left_a_pair_and_its_nodes_measure_again() -> None:
    fleet = SimulatedFabric(names(32), Faults(pairs={frozenset(names(2)): 0.6}))
    fleet.search()
    (first, *_rest) = (round_.number for round_, _outcomes in fleet.results if any(group.nodes == names(2) for group in round_.groups))
    later = [group.nodes for round_, _outcomes in fleet.results if round_.number > first for group in round_.groups]
    assert later.count(names(2)) == 2
    for node, other in (names(2), names(2)[::-1]):
        assert sum(node in group and other not in group for group in later) >= 3


def test_contradiction_leaves_a_pair_undecided() -> None:
    """Two measured bad together again and again; then one of them is in a bad group without the other, of which each pair is good."""
    fleet = SimulatedFabric(names(8), Faults(pairs={frozenset(("n00000", "n00001")): 0.6}))
    while isinstance(planned := next_round(fleet.fabric, fleet.results), Round):
        fleet.measure_all(planned)
        if planned.groups[0].nodes == names(8)[1:]:
            fleet.results[-1] = (planned, (Outcome(planned.groups[0], 250.0),))
    assert accused(planned) == (set(), set())
    assert [pair.nodes for pair in planned.undecided_pairs] == [("n00000", "n00001")]
    assert planned.unexplained
