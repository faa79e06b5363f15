"""What follows where the search came to its end, where nobody could meet, and where the meeting place is the trouble."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.fabric.attempt import MOST, Attempt, Conclusion, conclude

NODES = ("a", "b", "c", "d")
HERE = {"here": {"ranks": 8}}
LOST = {**HERE, "end": "the meeting place 10.0.0.1:29500 cannot be reached over eth0: timed out"}


def attempt(said: dict[str, Any], nodes: tuple[str, ...] = NODES, number: int = 0) -> Conclusion:
    return conclude(Attempt(nodes, "10.0.0.1:29500", number, said))


def one(conclusion: Conclusion, node: str) -> dict[str, Any]:
    (finding,) = conclusion.findings[node]
    return finding


def test_a_search_that_came_to_its_end_is_taken_and_who_never_came_is_named() -> None:
    good = {"check": "fabric", "status": "pass"}
    search = {**HERE, "met": {"a": {}, "b": {}, "c": {}}, "findings": {name: [good] for name in "abc"}, "end": "the search is over"}
    found = attempt({"a": search, "b": HERE, "c": HERE, "d": LOST})
    assert found.again == ()
    assert one(found, "a") == good
    assert one(found, "d")["status"] == "fail"
    assert one(found, "d")["kills_job"] is True
    assert "10.0.0.1:29500" in one(found, "d")["message"]
    assert "over eth0: timed out" in one(found, "d")["message"]


def test_a_node_that_others_cannot_reach_is_named_with_what_they_tried() -> None:
    search = {
        **HERE,
        "met": {name: {} for name in NODES},
        "closed": {"d": {"b": "10.0.0.4:41234: timed out", "c": "10.0.0.4:41234: timed out"}},
    }
    found = attempt({"a": {**search, "findings": {name: [] for name in "abc"}}, "d": HERE})
    assert one(found, "d")["status"] == "fail"
    assert "b tried 10.0.0.4:41234: timed out; c tried 10.0.0.4:41234: timed out" in one(found, "d")["message"]


def test_an_agent_that_could_not_start_is_not_measured_rather_than_at_fault() -> None:
    search = {**HERE, "met": {"a": {}, "b": {}, "c": {}}, "findings": {name: [] for name in "abc"}}
    found = attempt({"a": search, "d": {"end": "ModuleNotFoundError: No module named 'torch'"}})
    assert one(found, "d")["status"] == "error"
    assert "No module named 'torch'" in one(found, "d")["message"]


def test_a_meeting_place_that_nobody_reaches_is_named_and_the_others_go_on() -> None:
    search = {**HERE, "met": {"a": {}}, "trouble": "only 1 of 4 nodes reached 10.0.0.1:29500", "end": "the search is over"}
    found = attempt({"a": search, **dict.fromkeys("bcd", LOST)})
    assert found.again == ("b", "c", "d")
    assert set(found.findings) == {"a"}
    assert one(found, "a")["status"] == "fail"
    assert "3 of 3 other nodes cannot reach it" in one(found, "a")["message"]


def test_a_meeting_place_whose_agent_dies_or_stops_is_named_and_the_others_go_on() -> None:
    for end in ("exit status -9: it said nothing", "no answer within 70 s"):
        found = attempt({"a": {**HERE, "end": end}, **dict.fromkeys("bcd", LOST)})
        assert found.again == ("b", "c", "d")
        assert one(found, "a")["status"] == "fail"
        assert end in one(found, "a")["message"]


def test_a_taken_port_blames_nobody_and_another_place_is_tried() -> None:
    found = attempt({"a": {"end": "RuntimeError: port 29500 cannot be opened here"}, **dict.fromkeys("bcd", LOST)})
    assert found.again == ("b", "c", "d", "a")
    assert found.findings == {}


def test_after_the_last_attempt_nobody_is_good() -> None:
    found = attempt({"a": {"end": "RuntimeError: port 29500 cannot be opened here"}, **dict.fromkeys("bcd", LOST)}, number=MOST - 1)
    assert found.again == ()
    assert {one(found, name)["status"] for name in NODES} == {"error"}
    assert "port 29500 cannot be opened here" in one(found, "c")["message"]


def test_of_two_nodes_either_may_be_at_fault() -> None:
    search = {**HERE, "met": {"a": {}}, "trouble": "only 1 of 2 nodes reached 10.0.0.1:29500"}
    found = attempt({"a": search, "b": LOST}, nodes=("a", "b"))
    assert found.again == ("b", "a")
    assert found.findings == {}
    last = attempt({"a": search, "b": LOST}, nodes=("a", "b"), number=MOST - 1)
    assert {one(last, name)["status"] for name in "ab"} == {"error"}


def test_nodes_that_are_not_alike_are_not_measured_anywhere() -> None:
    search = {**HERE, "met": {name: {} for name in NODES}, "trouble": "found different GPUs (H100 on a; A100 on b, c, d), expected one"}
    found = attempt({"a": search})
    assert found.again == ()
    assert {one(found, name)["status"] for name in NODES} == {"error"}
    assert "H100 on a" in one(found, "b")["message"]


def test_no_word_from_anybody_is_never_good() -> None:
    found = attempt({}, number=MOST - 1)
    assert {one(found, name)["status"] for name in NODES} == {"error"}
