"""What is said to playbooks/workspace.yml, as an entry: text that is meant as a number or a list, and words that cannot be meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.gpu.fleet.plugins.filter.said_workspaces import said_workspaces
from ansible_collections.gpu.fleet.plugins.module_utils.workspaces import said as module

ROOT = Path(__file__).parents[4]
BOB = {"name": "bob", "user": "bob", "authorized_keys": ["bob's"], "gpus": [0], "memory": "2g", "idle_shutdown_minutes": 60}
ALICE = {"name": "alice", "user": "alice", "authorized_keys": ["alice's"], "gpus": "all"}


def said(words: dict[str, Any], *added: dict[str, Any], in_inventory: tuple[str, ...] = (), keys: tuple[str, ...] = ("mine",)) -> list:
    return said_workspaces({"name": "bob", **words}, added, in_inventory, keys, None)


def test_a_new_one_is_the_users_of_its_name_with_the_callers_keys() -> None:
    assert said({}) == [{"name": "bob", "user": "bob", "authorized_keys": ["mine"]}]


def test_its_name_alone_leaves_it_as_it_is() -> None:
    assert said({"node": "gpu-01", "state": "present"}, ALICE, BOB) == [ALICE, BOB]
    assert said({}, BOB, keys=()) == [BOB]


def test_one_word_changes_one_thing() -> None:
    assert said({"memory": "4g"}, BOB) == [{**BOB, "memory": "4g"}]
    assert said({"keys": "new.pub"}, BOB) == [{**BOB, "authorized_keys": ["mine"]}]
    assert said({"memory": "none", "gpus": "none"}, BOB) == [
        {**{word: value for word, value in BOB.items() if word != "memory"}, "gpus": []}
    ]


def test_absent_takes_it_out() -> None:
    assert said({"state": "absent"}, ALICE, BOB, keys=()) == [ALICE]


def test_one_of_the_inventory_can_be_woken_and_not_changed() -> None:
    assert said({"state": "present"}, ALICE, in_inventory=("bob",), keys=()) == [ALICE]
    for words, found in (({"memory": "1g", "keys": "a.pub"}, "keys, memory"), ({"state": "absent"}, "state=absent")):
        with pytest.raises(
            AnsibleFilterError, match=rf"found {found} for bob, which jupyter_workspaces of the inventory has, .*Nothing was"
        ):
            said(words, in_inventory=("bob",))
    # Written down before the inventory had it: forgotten when asked.
    assert said({"state": "absent"}, ALICE, BOB, in_inventory=("bob",), keys=()) == [ALICE]


@pytest.mark.parametrize(
    ("word", "text", "meant"),
    [
        ("gpus", "all", "all"),
        ("gpus", "2", 2),
        ("gpus", "0,1", ["0", "1"]),
        ("gpus", "[0]", ["0"]),
        ("gpus", "['GPU-aaaaaaaa', 1]", ["GPU-aaaaaaaa", "1"]),
        ("gpus", "[]", []),
        ("gpus", "none", []),
        # By YAML these would be 60, 1, 10 and null, which is the default: all of them.
        ("gpus", "1:0", ["1:0"]),
        ("gpus", "[1:0]", ["1:0"]),
        ("gpus", "0x1", ["0x1"]),
        ("gpus", "1_0", ["1_0"]),
        ("gpus", "", [""]),
        ("gpus", [0, 1], [0, 1]),
        ("idle_shutdown_minutes", "2h", "2h"),
        ("idle_shutdown_minutes", "120", 120),
        ("ssh_port", "auto", "auto"),
        ("ssh_port", "2300", 2300),
        ("uid", "²", "²"),
        ("cpus", "1.5", 1.5),
        ("cpus", "many", "many"),
        ("exclusive", "Yes", True),
        ("exclusive", "false", False),
        ("exclusive", "maybe", "maybe"),
        ("groups", "3000,3001", [3000, 3001]),
        ("datasets", "/a/b,/c/d", ["/a/b", "/c/d"]),
        ("options", "--sysctl=a=1,2", ["--sysctl=a=1,2"]),
        ("environment", {"A": "1"}, {"A": "1"}),
        ("memory", "64g", "64g"),
    ],
)
def test_what_text_means(word: str, text: Any, meant: Any) -> None:
    assert said({word: text})[0][word] == meant


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("gpu", "did you mean -e gpus="),
        ("mem", "did you mean -e memory="),
        ("idle", "did you mean -e idle_shutdown_minutes="),
        ("enviroment", "did you mean -e environment="),
        ("jupyter_prot", "did you mean -e jupyter_port="),
        ("password", "found password, expected one that is made"),
        ("authorized_keys", "such as -e keys="),
    ],
)
def test_a_word_that_is_none_is_refused(word: str, says: str) -> None:
    with pytest.raises(AnsibleFilterError, match=says) as refusal:
        said({word: "0"})
    assert str(refusal.value).endswith("Nothing was changed")


def test_variables_of_roles_and_of_the_site_are_let_through() -> None:
    specifications = [yaml.safe_load(path.read_text())["argument_specs"] for path in ROOT.glob("roles/*/meta/argument_specs.yml")]
    options = {option: 1 for each in specifications for entry_point in each.values() for option in entry_point.get("options") or {}}
    assert len(options) > 100
    assert list(module.unknown({**options, "ansible_become_password": 1, "region": 1, "sandbox_name": 1})) == []


def test_a_new_one_needs_a_key() -> None:
    with pytest.raises(AnsibleFilterError, match="found no public key, expected one to log in with"):
        said({}, keys=())


def test_the_playbook_asks_for_every_word() -> None:
    text = (ROOT / "playbooks/vars/workspace.yml").read_text()
    for word in module.WORDS:
        assert f"'{word}'" in text[: text.index("__name:")], word
