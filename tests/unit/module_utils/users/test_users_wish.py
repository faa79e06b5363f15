"""Users and groups of an inventory: what is filled in, and what is refused before anything is changed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.gpu.fleet.plugins.filter.user_accounts import user_accounts

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIvs0zTh4Nh0wzm8bq1qk1bYb4mAEkT2SxKyqVJp6Vhz someone"


def user(**changes: Any) -> dict[str, Any]:
    return {"name": "alice", "uid": 2001, "authorized_keys": [KEY], **changes}


def refused(accounts: list[dict[str, Any]], groups: list[dict[str, Any]] | None = None) -> str:
    with pytest.raises(AnsibleFilterError) as told:
        user_accounts(accounts, groups or [])
    return str(told.value)


def test_what_is_left_out_is_filled_in() -> None:
    wish = user_accounts([{"name": "alice", "uid": 2001}], [{"name": "research"}], "/bin/zsh", linger=True)
    assert wish == {
        "users": [
            {
                "name": "alice",
                "uid": 2001,
                "groups": [],
                "authorized_keys": [],
                "sudo": [],
                "comment": "",
                "shell": "/bin/zsh",
                "linger": True,
                "adopt": False,
            }
        ],
        "groups": [{"name": "research", "gid": None, "sudo": []}],
    }


def test_nothing_is_well() -> None:
    assert user_accounts([], []) == {"users": [], "groups": []}


def test_what_a_user_says_goes_before_what_all_have() -> None:
    (alice,) = user_accounts([user(linger=False, shell="/bin/sh")], [], "/bin/zsh", linger=True)["users"]
    assert (alice["linger"], alice["shell"]) == (False, "/bin/sh")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "Alice"}, "found name 'Alice'"),
        ({"name": "root"}, "found name 'root'"),
        ({"name": "a/../b"}, "found name"),
        ({"name": "-x"}, "found name"),
        ({"name": "x-"}, "found name"),
        ({"name": "a b"}, "found name"),
        ({"name": "a" * 33}, "found name"),
        ({"name": ""}, "found no name"),
        ({"uid": None}, "found no uid"),
        ({"uid": 0}, "found uid 0"),
        ({"uid": 999}, "found uid 999"),
        ({"uid": 65534}, "found uid 65534"),
        ({"uid": True}, "found uid True"),
        ({"uid": "x"}, "found uid 'x'"),
        ({"authorized_keys": ["ssh-ed25519 nonsense"]}, "found the key"),
        ({"authorized_keys": [f"{KEY}\n{KEY}"]}, "found the key"),
        ({"sudo": ["ALL"]}, "found sudo rule"),
        ({"sudo": ["ALL=(ALL) ALL\nmallory ALL=(ALL) NOPASSWD: ALL"]}, "found sudo rule"),
        ({"sudo": ["ALL=(ALL) NOPASSWD: \\"]}, "found sudo rule"),
        ({"shell": "bash"}, "found shell 'bash'"),
        ({"comment": "a:b"}, "found comment"),
        ({"groups": ["no group"]}, "found group 'no group'"),
        ({"keys": []}, "found keys, expected one of"),
    ],
)
def test_a_mistake_is_refused(changes: dict[str, Any], says: str) -> None:
    message = refused([user(**changes)])
    assert says in message
    assert "Nothing was changed" in message


def test_two_cannot_have_one_number_or_name() -> None:
    assert "found uid 2001 2 times (alice, bob)" in refused([user(), user(name="bob")])
    assert "found name alice 2 times" in refused([user(), user(uid=2002)])
    assert "found gid 2001 2 times (alice, research)" in refused([user()], [{"name": "research", "gid": 2001}])
    assert "found name alice 2 times" in refused([user()], [{"name": "alice"}])


def test_all_mistakes_are_told_at_once() -> None:
    message = refused([user(uid=1, shell="x")], [{"name": "B", "gid": "x", "sudo": ["x"]}])
    assert [
        part for part in ("found uid 1", "found shell", "found name 'B'", "found gid 'x'", "found sudo rule") if part not in message
    ] == []


def test_keys_with_options_are_well() -> None:
    assert user_accounts([user(authorized_keys=[f'from="10.0.0.0/8" {KEY}'])], [])["users"]
