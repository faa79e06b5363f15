"""What holds of every search, whatever is planted and whatever is measured."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.fabric.plan import most_rounds, next_round
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.proof import rounds_of_one
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rounds import Outcome, Round
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.module_utils.fabric.simulated_fabric import HINTS, Faults, SimulatedFabric, assert_found, hidden, names


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 70), st.data())
def test_one_fault_is_found_and_nobody_else(count: int, data: st.DataObject) -> None:
    one, other = data.draw(st.lists(st.sampled_from(names(count)), min_size=2, max_size=2, unique=True))
    factor = data.draw(st.sampled_from((0.0, 0.5, 0.8)))
    faults = data.draw(
        st.sampled_from(
            (
                Faults(),
                Faults({one: factor}, hint=data.draw(st.sampled_from(HINTS))),
                Faults(pairs={frozenset((one, other)): factor}),
                Faults(absent=frozenset((one,))),
                Faults(died=frozenset((one,))),
            )
        )
    )
    assert assert_found(count, faults).rounds <= rounds_of_one(count)


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 24), st.data())
def test_nothing_that_is_planted_stays_hidden(count: int, data: st.DataObject) -> None:
    pairs = st.frozensets(st.sampled_from(names(count)), min_size=2, max_size=2)
    faults = Faults(
        data.draw(st.dictionaries(st.sampled_from(names(count)), st.sampled_from((0.0, 0.5, 0.8)), max_size=count)),
        data.draw(st.dictionaries(pairs, st.sampled_from((0.0, 0.5, 0.8)), max_size=4)),
        data.draw(st.frozensets(st.sampled_from(names(count)), max_size=2)),
    )
    conclusion = SimulatedFabric(names(count), faults).search()
    assert not hidden(faults, conclusion)


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 20), st.integers(1, 3), st.data())
def test_whatever_is_measured_it_ends_and_each_node_is_in_one_place(count: int, rails: int, data: st.DataObject) -> None:
    random = data.draw(st.randoms(use_true_random=False))
    fleet = SimulatedFabric(names(count), rails=rails, gated=data.draw(st.booleans()))
    while isinstance(planned := next_round(fleet.fabric, fleet.results), Round):
        assert planned.number < most_rounds(count, rails)
        outcomes = []
        for group in planned.groups:
            kind = random.choice(("good", "good", "slow", "hang", "gone"))
            gone = tuple(random.sample(group.nodes, 1)) if kind == "gone" and random.random() < 0.3 else ()
            outcomes.append(Outcome(group, {"good": 400.0, "slow": 250.0}.get(kind), absent=gone))
        fleet.results.append((planned, tuple(outcomes)))
    places = [*(bad.node for bad in planned.bad_nodes), *planned.good, *planned.undecided, *planned.unmeasured]
    assert sorted(places) == sorted(names(count))
