"""The search at the meeting place, against agents that tell what a fleet with a planted fault would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.lead import lead, outcome
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.node import Amounts, Request
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rounds import Group

NODES = tuple("abcdefgh")
FAST, SLOW = 400.0, 100.0


def request(**changes: Any) -> Request:
    given: dict[str, Any] = {
        "node": "a",
        "nodes": NODES,
        "address": "10.0.0.1",
        "port": 29500,
        "interface": "",
        "device": "cuda",
        "runtime": "native",
        "image": "",
        "folder": Path("/probe"),
        "token": "x" * 16,
        "meet_s": 60.0,
        "seconds": 600.0,
        "lease_s": 30.0,
        "amounts": Amounts(1 << 30, 2.0, 60.0),
        "gate_gb_s": 300.0,
        "fraction": 0.9,
    }
    return Request(**{**given, **changes})


def record(figure: float | None, **changes: Any) -> dict[str, Any]:
    return {"busbw_gb_s": figure, "correct": True, "transport": "NET/IB", "step": 9, "died": False, "why": "", **changes}


class Fleet:
    """Stands in for the conversation with the agent: who has come, and what each round gives."""

    def __init__(self, slow: frozenset[str], silent: frozenset[str] = frozenset(), **met: dict[str, Any]) -> None:
        self.slow, self.silent, self.orders = slow, silent, []
        self.transport = "NET/IB"
        self.knocked: dict[str, dict[str, str]] = {}
        self.met = {name: {"ranks": 8, "model": "NVIDIA H200", "rails": ["mlx5_0"], "verbs": True, **met.get(name, {})} for name in NODES}

    def tell(self, order: dict[str, Any]) -> None:
        self.orders.append(order)

    def hear(self, key: str, _seconds: float) -> dict[str, Any]:
        if key == "met":
            return {"met": {name: what for name, what in self.met.items() if what.get("ranks")}, "knocked": self.knocked}
        told = {}
        for group in self.orders[-1]["groups"]:
            hangs = bool(self.silent & set(group["nodes"]))
            figure = None if hangs else SLOW if self.slow & set(group["nodes"]) else FAST
            told.update({name: record(figure, transport=self.transport) for name in group["nodes"] if name not in self.silent})
        return {"told": told}


def test_a_healthy_fleet_takes_one_round() -> None:
    fleet, lines = Fleet(frozenset()), list[str]()
    found = lead(fleet, request(), lines.append)
    assert [order["groups"] for order in fleet.orders] == [[{"nodes": list(NODES), "rail": ""}]]
    assert fleet.orders[0]["bytes"] == 1 << 30
    assert {finding["status"] for name in NODES for finding in found["findings"][name]} <= {"pass", "skip"}
    assert "8 of 8 nodes have met at 10.0.0.1:29500" in lines[0]
    assert "400 to 400 GB/s" in lines[-1]


@pytest.mark.parametrize("fleet", [Fleet(frozenset("f")), Fleet(frozenset(), silent=frozenset("f"))], ids=["slow", "silent"])
def test_the_node_at_fault_is_named_and_no_other(fleet: Fleet) -> None:
    found = lead(fleet, request(), lambda _line: None)
    bad = {name for name in NODES for finding in found["findings"][name] if finding["status"] not in ("pass", "skip")}
    assert bad == {"f"}
    assert len(fleet.orders) == len(found["rounds"]) > 1


def test_a_node_whose_door_is_closed_to_two_is_left_out_and_one_alone_tells_nothing() -> None:
    fleet, lines = Fleet(frozenset()), list[str]()
    why = "10.0.0.3:41234: timed out"
    fleet.knocked = {
        "a": {"b": "", "c": why},
        "b": {"c": why, "d": ""},
        "c": {"d": "", "e": "10.0.0.5:1: timed out"},
        "d": {"e": "", "f": ""},
    }
    found = lead(fleet, request(), lines.append)
    assert found["closed"] == {"c": {"a": why, "b": why}}
    assert fleet.orders[0]["groups"] == [{"nodes": [name for name in NODES if name != "c"], "rail": ""}]
    assert "c" not in found["findings"]
    assert "c cannot be reached by a nor b (10.0.0.3:41234: timed out)" in lines[1]


def test_a_rail_is_an_adapter_that_all_nodes_have() -> None:
    there = {name: {"rails": ["mlx5_0", "mlx5_1", "mlx5_3"]} for name in NODES}
    fleet = Fleet(frozenset("f"), **{**there, "b": {"rails": ["mlx5_1", "mlx5_2", "mlx5_3"]}})
    lead(fleet, request(), lambda _line: None)
    assert {group["rail"] for order in fleet.orders for group in order["groups"]} == {"", "mlx5_1", "mlx5_3"}


def test_an_image_without_libibverbs_is_told_once_and_found_for_each_node() -> None:
    fleet, lines = Fleet(frozenset(), **{name: {"verbs": False} for name in NODES}), list[str]()
    fleet.transport = "NET/Socket"
    found = lead(fleet, request(runtime="container", image="registry/pytorch:1"), lines.append)
    assert len([line for line in lines if "no libibverbs in the image registry/pytorch:1 on a, b, c, d and 4 more" in line]) == 1
    for name in NODES:
        statuses = {finding["check"]: finding["status"] for finding in found["findings"][name]}
        assert statuses == {"across_nodes": "pass", "across_nodes_transport": "error"}


def test_nodes_that_differ_are_not_measured_together() -> None:
    found = lead(Fleet(frozenset(), b={"model": "NVIDIA A100"}), request(), lambda _line: None)
    assert "findings" not in found
    assert "NVIDIA A100 on b" in found["trouble"]
    assert "NVIDIA H200 on a, c, d, e, f and 2 more" in found["trouble"]


def test_too_few_have_come() -> None:
    gone = {name: {"ranks": 0} for name in "bcdef"}
    found = lead(Fleet(frozenset(), **gone), request(), lambda _line: None)
    assert found["trouble"] == "only 3 of 8 nodes reached 10.0.0.1:29500"
    assert found["absent"] == list("bcdef")


def test_an_outcome_is_the_slowest_nodes_and_says_who_is_behind() -> None:
    group = Group(("a", "b", "c"))
    assert outcome(group, {"a": record(400.0), "b": record(399.0), "c": record(401.0)}).busbw_gb_s == 399.0
    hung = outcome(group, {"a": record(None, step=3), "b": record(None, step=1, why="RuntimeError: timed out"), "c": record(None, step=3)})
    assert (hung.busbw_gb_s, hung.stuck, hung.why) == (None, ("b",), "RuntimeError: timed out")
    lost = outcome(group, {"a": record(None, died=True), "b": record(None)})
    assert (lost.absent, lost.died) == (("c",), ("a",))
    wrong = outcome(group, {"a": record(400.0), "b": record(400.0, correct=False), "c": record(400.0)})
    assert wrong.wrong == ("b",)
