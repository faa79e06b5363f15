"""What there is to do about users on a node, and what stands in the way."""

from __future__ import annotations

import hashlib
from typing import Any

from ansible_collections.gpu.fleet.plugins.filter.user_changes import user_changes
from ansible_collections.gpu.fleet.plugins.module_utils.users.wish import complete

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIvs0zTh4Nh0wzm8bq1qk1bYb4mAEkT2SxKyqVJp6Vhz someone"
DIGEST = hashlib.sha256(KEY.encode()).hexdigest()
RECORD: dict[str, Any] = {"users": {}, "groups": [], "former": {}}


def there(uid: int = 2001, **changes: Any) -> dict[str, Any]:
    found = {"uid": uid, "comment": "", "shell": "/bin/bash", "home": "/home/x", "groups": ["research"], "keys": [DIGEST], "linger": True}
    return {**found, **changes}


def node(users: dict[str, Any] | None = None, record: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    users = users or {}
    return {
        "record": {**RECORD, **(record or {})},
        "users": users,
        "uids": {"0": "root", **{str(user["uid"]): name for name, user in users.items()}},
        "groups": {"root": 0, **{name: user["uid"] for name, user in users.items()}},
        "connects_as": "fleet",
        "sudo": True,
        **changes,
    }


def plan(
    seen: dict[str, Any], *accounts: dict[str, Any], groups: tuple[dict[str, Any], ...] = ({"name": "research"},), **options: bool
) -> dict[str, Any]:
    return user_changes(complete(accounts, groups, linger=True), seen, **options)


ALICE = {"name": "alice", "uid": 2001, "authorized_keys": [KEY], "groups": ["research"]}
MADE = {"users": {"alice": 2001}, "groups": ["research"]}
SETTLED = node({"alice": there()}, MADE, groups={"root": 0, "alice": 2001, "research": 3000})


def test_a_new_user() -> None:
    found = plan(node(), ALICE)
    assert found["problems"] == []
    assert found["any"]
    assert found["groups"] == [{"name": "research", "gid": None}, {"name": "alice", "gid": 2001}]
    assert [user["name"] for user in found["users"]] == ["alice"]
    assert found["keys"] == [{"name": "alice", "keys": [KEY], "exclusive": True}]
    assert found["linger"] == ["alice"]
    assert found["during"] == found["after"] == {"users": {"alice": 2001}, "groups": ["research"], "former": {}}


def test_keys_that_are_to_be_written_elsewhere_are_refused() -> None:
    planted = {"foreign": "found that /home/x/.ssh is a link to /etc", "keys": []}
    seen = {**SETTLED, "users": {"alice": there(**planted)}}
    assert plan(seen, ALICE)["problems"] == ["user alice: found that /home/x/.ssh is a link to /etc"]
    # What is not to be written harms nobody: who leaves, leaves.
    assert plan({**seen, "users": {"alice": there(**{**planted, "keys": [DIGEST]})}}, ALICE)["problems"] == []
    assert plan(seen)["problems"] == []


def test_what_is_as_it_should_be_is_left() -> None:
    found = plan(SETTLED, ALICE)
    assert not found["any"]
    assert [found[kind] for kind in ("groups", "users", "keys", "linger", "no_linger", "leaving", "leaving_groups", "problems")] == [[]] * 8


def test_each_difference_is_a_change_of_its_own() -> None:
    groups = SETTLED["groups"]
    for changes, kind in (
        ({"shell": "/bin/sh"}, "users"),
        ({"groups": ["research", "docker"]}, "users"),
        ({"keys": []}, "keys"),
        ({"keys": [DIGEST, "another"]}, "keys"),
        ({"linger": False}, "linger"),
    ):
        found = plan(node({"alice": there(**changes)}, MADE, groups=groups), ALICE)
        assert [name for name in ("groups", "users", "keys", "linger", "no_linger", "leaving") if found[name]] == [kind], changes


def test_further_keys_stay_where_they_may() -> None:
    seen = node({"alice": there(keys=[DIGEST, "another"])}, MADE, groups=SETTLED["groups"])
    assert plan(seen, ALICE, exclusive_keys=False)["keys"] == []
    # The key that this connection was made with may be the other one.
    assert plan({**seen, "connects_as": "alice"}, ALICE)["keys"] == []


def test_one_who_left_the_list_leaves_and_the_number_stays_taken() -> None:
    found = plan(SETTLED, groups=())
    assert (found["leaving"], found["leaving_groups"]) == (["alice"], ["research"])
    assert found["during"]["users"] == {"alice": 2001}
    assert found["after"] == {"users": {}, "groups": [], "former": {"alice": 2001}}
    assert plan(SETTLED, groups=(), remove_data=True)["after"]["former"] == {}
    gone = node(record=found["after"])
    assert "it was that of alice, whose data is still there" in plan(gone, {"name": "bob", "uid": 2001}, groups=())["problems"][0]
    assert plan(gone, ALICE)["problems"] == []
    assert plan(gone, ALICE)["after"]["former"] == {}


def test_the_one_who_is_connected_does_not_leave() -> None:
    (problem,) = plan({**SETTLED, "connects_as": "alice"})["problems"]
    assert "found that alice, as whom Ansible is connected, has left users_accounts" in problem


def test_a_user_of_the_node_is_not_touched_unless_handed_over() -> None:
    seen = node({"alice": there()}, groups={"alice": 2001, "research": 3000})
    assert "was on the node before this role" in plan(seen, ALICE)["problems"][0]
    found = plan(seen, {**ALICE, "adopt": True})
    assert (found["problems"], found["after"]["users"]) == ([], {"alice": 2001})


def test_a_group_of_the_node_is_used_and_never_removed() -> None:
    seen = node(groups={"research": 3000})
    assert plan(seen, ALICE)["after"]["groups"] == []


def test_numbers_are_never_changed_nor_shared() -> None:
    assert "found alice with uid 1500, expected 2001" in plan(node({"alice": there(1500)}, MADE), ALICE)["problems"][0]
    assert "found uid 2001 taken by bob" in plan(node({"bob": there()}), ALICE)["problems"][0]
    assert "found gid 2001" in plan(node(groups={"other": 2001, "research": 1}), ALICE)["problems"][0]
    teams = ({"name": "research", "gid": 3000},)
    assert "with gid 1, expected 3000" in plan(node(groups={"research": 1}), ALICE, groups=teams)["problems"][0]
    assert "found gid 3000 taken by x" in plan(node(groups={"x": 3000}), ALICE, groups=teams)["problems"][0]


def test_a_group_that_nobody_has_is_refused_unless_it_may_come() -> None:
    assert "found no group docker for alice" in plan(node(), {**ALICE, "groups": ["docker"]})["problems"][0]
    assert plan(node(), {**ALICE, "groups": ["docker"]}, foresee=True)["problems"] == []
