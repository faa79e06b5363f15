"""What follows from measurements: who is good, who is suspected, and how much it takes before anybody is accused."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.evidence import Evidence
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rounds import Fabric, Group, Outcome, Round

GOOD, BAD, NEAR, HANG = 400.0, 250.0, 355.0, None  # GB/s, by a gate of 360
AB = frozenset("ab")

Measured = dict[str, "float | None"]


def evidence(*rounds: Measured, nodes: str = "abcdef", gated: bool = True, **details: Any) -> Evidence:
    """Give the evidence of rounds, each the figure of its groups; the name of a group is its nodes."""
    results = []
    for number, groups in enumerate(rounds):
        outcomes = tuple(Outcome(Group(tuple(names)), figure, **details) for names, figure in groups.items())
        results.append((Round(number, tuple(outcome.group for outcome in outcomes), ""), outcomes))
    return Evidence(Fabric(tuple(nodes), gate_gb_s=360.0 if gated else None), results)


def test_who_was_in_a_good_group_is_shown_good() -> None:
    found = evidence({"abc": GOOD, "de": BAD})
    assert found.shown_good == frozenset("abc")
    assert found.together("a", "c")
    assert not found.together("a", "d")


@pytest.mark.parametrize("figure", [BAD, HANG])
def test_a_bad_pair_is_suspected_until_it_was_good(figure: float | None) -> None:
    assert evidence({"ab": figure}).suspected == (AB,)
    assert evidence({"ab": figure}, {"ab": GOOD}).suspected == ()
    assert evidence({"ab": figure}, {"abcd": GOOD}).suspected == ()


def test_near_the_gate_a_pair_is_neither_good_nor_bad_until_it_measured_twice() -> None:
    once = evidence({"ab": NEAR})
    assert (once.suspected, once.shown_good) == ((), frozenset())
    assert evidence({"ab": NEAR}, {"ab": NEAR}).suspected == (AB,)
    assert evidence({"ab": NEAR}, {"ab": GOOD}).shown_good == AB


def test_a_large_group_is_judged_by_the_mean_of_what_it_measured() -> None:
    assert not evidence({"abcd": 340.0}, {"abcd": GOOD}).open_groups
    assert [seen.number for seen in evidence({"abcd": 300.0}, {"abcd": GOOD}).open_groups] == [0]


def test_a_node_is_accused_once_it_was_bad_with_three_good_partners() -> None:
    rounds: list[Measured] = [{"abcdef": BAD}, {"ab": BAD, "cd": GOOD, "ef": GOOD}, {"ac": BAD, "be": GOOD}, {"ad": BAD}]
    assert evidence(*rounds[:3]).bad_nodes == ()
    assert evidence(*rounds).bad_nodes == ("a",)
    assert evidence(*rounds).good == tuple("bcdef")


def test_many_bad_measurements_with_one_partner_accuse_no_node() -> None:
    assert evidence({"cd": GOOD}, *[{"ab": BAD}] * 5).bad_nodes == ()


def test_of_two_that_are_equally_plain_the_first_is_accused_whatever_the_hashes() -> None:
    for names in ("abcdef", "ghijkl", "mnopqr", "stuvwx"):
        a, b, c, d, e, f = names
        found = evidence({names: GOOD}, {a + b: BAD, c + d: GOOD}, {a + c: BAD, b + e: BAD}, {a + d: BAD, b + f: BAD}, nodes=names)
        assert found.bad_nodes == (a,)


def test_where_there_are_only_two_good_partners_those_suffice_with_three_measurements() -> None:
    rounds: list[Measured] = [{"ab": BAD}, {"bc": GOOD}, {"ac": BAD}]
    assert evidence(*rounds, nodes="abc").bad_nodes == ()
    assert evidence(*rounds, {"ab": BAD}, nodes="abc").bad_nodes == ("a",)


def test_a_pair_is_at_fault_once_bad_thrice_and_each_of_its_nodes_good_without_the_other() -> None:
    apart: Measured = {"ac": GOOD, "bd": GOOD}
    assert evidence({"ab": BAD}, apart, {"ab": BAD}).bad_pairs == ()
    assert evidence({"ab": BAD}, apart, {"ab": BAD}, {"ab": BAD}).bad_pairs == (AB,)
    assert evidence({"ab": BAD}, {"ac": GOOD}, {"ab": BAD}, {"ab": BAD}).bad_pairs == ()


def test_a_bad_group_counts_for_the_only_suspect_in_it() -> None:
    apart: Measured = {"ac": GOOD, "bd": GOOD}
    assert evidence({"abcdef": BAD}, {"ab": BAD}, apart, {"ab": BAD}).bad_pairs == (AB,)
    assert evidence({"abcdef": BAD}, {"ab": BAD, "ef": BAD}, apart, {"ab": BAD}).bad_pairs == ()


def test_who_is_suspected_with_two_must_have_been_good_twice_since() -> None:
    rounds: list[Measured] = [{"ab": BAD}, {"ac": BAD, "bd": GOOD}, {"ad": GOOD, "ce": GOOD}]
    assert evidence(*rounds).unclear(AB) == ("a",)
    assert evidence(*rounds, {"ae": GOOD}).unclear(AB) == ()


def test_sureness_counts_only_what_came_after_the_suspicion() -> None:
    before: Measured = {"ac": GOOD, "bd": GOOD}
    after: Measured = {"ae": GOOD, "bf": GOOD}
    assert evidence(before, before, {"ab": BAD}, {"ab": BAD}).sureness(AB) == 0
    assert evidence(before, {"ab": BAD}, after, {"ab": BAD}).sureness(AB) == 1
    assert evidence(before, {"ab": BAD}, after, {"ab": BAD}, after).sureness(AB) == 2


def test_a_bad_group_is_open_until_what_was_found_explains_it() -> None:
    whole: Measured = {"abcdef": BAD}
    assert [seen.members for seen in evidence(whole).open_groups] == [frozenset("abcdef")]
    rounds: list[Measured] = [whole, {"ab": BAD, "cd": GOOD, "ef": GOOD}, {"ac": BAD, "be": GOOD}, {"ad": BAD}]
    assert evidence(*rounds).open_groups == []
    assert [seen.members for seen in evidence(whole, {"abc": BAD, "def": BAD}).open_groups] == [frozenset("abc"), frozenset("def")]


@pytest.mark.parametrize("what", ["absent", "died"])
def test_a_group_with_somebody_gone_shows_nothing_of_the_others(what: str) -> None:
    found = evidence({"abc": HANG}, **{what: ("a",)})
    assert (found.gone, found.alive) == (frozenset("a"), tuple("bcdef"))
    assert (found.seen, found.open_groups) == ([], [])


def test_without_a_gate_a_group_alone_is_neither_good_nor_bad_and_open() -> None:
    found = evidence({"abcdef": GOOD}, gated=False)
    assert [(seen.good, seen.gate_gb_s) for seen in found.seen] == [(None, None)]
    assert found.open_groups == found.seen


def test_without_a_gate_groups_of_like_size_are_compared() -> None:
    found = evidence({"abcdef": BAD}, {"abc": BAD, "def": GOOD}, gated=False)
    assert [(seen.good, seen.gate_gb_s) for seen in found.seen] == [(False, 360.0), (False, 360.0), (True, 360.0)]


def test_without_a_gate_groups_that_share_a_node_compare_with_nothing() -> None:
    found = evidence({"abcdef": BAD}, {"abc": BAD}, gated=False)
    assert [seen.good for seen in found.seen] == [None, None]


def test_without_a_gate_pairs_say_nothing_of_large_groups() -> None:
    found = evidence({"abcdef": BAD}, {"ab": GOOD, "cd": GOOD, "ef": GOOD}, gated=False)
    assert [seen.good for seen in found.seen] == [None, True, True, True]
