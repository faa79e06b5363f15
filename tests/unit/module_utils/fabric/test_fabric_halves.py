"""Halves that lead to a bad pair: every bit of the labels splits once, and what stays fits in disjoint pairs."""

from __future__ import annotations

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.evidence import Evidence
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.halves import Halves, bits, labels
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rounds import Fabric, Group, Outcome, Round
from unit.module_utils.fabric.simulated_fabric import names


@pytest.mark.parametrize(("nodes", "expected"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (1024, 10), (1025, 11)])
def test_bits_are_the_rounded_up_logarithm(nodes: int, expected: int) -> None:
    assert bits(nodes) == expected


@pytest.mark.parametrize("count", [2, 3, 7, 8, 100, 1023])
def test_labels_differ_and_those_of_a_first_pair_in_every_bit(count: int) -> None:
    label = labels(names(count))
    assert len(set(label.values())) == count
    for one, other in zip(names(count)[::2], names(count)[1::2]):
        assert label[one] ^ label[other] == (1 << bits(count)) - 1


def searched(count: int, *good: tuple[tuple[str, ...], ...]) -> Halves:
    """After a bad whole and good first pairs, with more rounds of good groups."""
    nodes = names(count)
    pairs = tuple(zip(nodes[::2], nodes[1::2]))
    results = []
    for number, groups in enumerate(((nodes,), pairs, *good)):
        outcomes = tuple(Outcome(Group(group), 250.0 if group == nodes else 400.0) for group in groups)
        results.append((Round(number, tuple(outcome.group for outcome in outcomes), ""), outcomes))
    return Halves(Evidence(Fabric(nodes, gate_gb_s=360.0), results))


def test_good_halves_lead_to_pairs_that_were_in_none_of_them() -> None:
    nodes = names(16)
    together = {frozenset(pair) for pair in zip(nodes[::2], nodes[1::2])}
    good: list[tuple[tuple[str, ...], ...]] = []
    while len((parts := searched(16, *good).next_of(nodes, nodes))[0]) > 2:
        assert sorted(node for part in parts for node in part) == list(nodes)
        good.append(parts)
        together |= {frozenset((one, other)) for part in parts for one in part for other in part}
    assert len(good) == bits(16) - 1  # the last split would only tell what the first pairs told
    assert len(parts) == 8
    assert not together & {frozenset(part) for part in parts}


def test_busy_nodes_are_left_out() -> None:
    parts = searched(16).next_of(names(16), names(16)[2:])
    assert set(names(16)[2:]) == {node for part in parts for node in part}
