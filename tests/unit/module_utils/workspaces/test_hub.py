"""Users and profiles of a hub: what is filled in, and what is refused before anything is changed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.gpu.fleet.plugins.filter.hub_profiles import hub_profiles
from ansible_collections.gpu.fleet.plugins.filter.hub_users import hub_users
from ansible_collections.gpu.fleet.plugins.module_utils.workspaces.hub import complete

EMPTY: dict[str, Any] = {"users": {}, "homes": {}, "addresses": {}}
SUBNET = "172.31.250.0/29"


def users(*entries: dict[str, Any], subnet: str = SUBNET, **node: Any) -> list[dict[str, Any]]:
    return hub_users(list(entries), {**EMPTY, **node}, subnet, 2)


def numbers(*entries: dict[str, Any], **node: Any) -> list[tuple[int, int]]:
    return [(user["uid"], user["gid"]) for user in users(*entries, **node)]


ADA, GRACE = {"name": "ada"}, {"name": "grace"}


def test_what_is_left_out_is_filled_in() -> None:
    assert users({**ADA, "gpus": None, "admin": True}, {**GRACE, "gpus": 0}) == [
        {"name": "ada", "admin": True, "gpus": 2, "uid": 20001, "gid": 20001, "groups": [], "password": "", "address": "172.31.250.2"},
        {"name": "grace", "admin": False, "gpus": 0, "uid": 20002, "gid": 20002, "groups": [], "password": "", "address": "172.31.250.3"},
    ]


def test_numbers_are_those_of_the_entry_of_the_node_or_of_the_home_directory() -> None:
    assert numbers({**ADA, "uid": 7}, users={"ada": [1001, 100]}) == [(7, 7)]
    assert numbers(ADA, users={"ada": [1001, 100]}, homes={"ada": [5, 5]}) == [(1001, 100)]
    assert numbers(ADA, homes={"ada": [20005, 20005]}) == [(20005, 20005)]


def test_a_new_user_gets_no_number_of_somebody_else() -> None:
    """Of those who have left, too: their files are still there."""
    assert numbers(GRACE, homes={"ada": [20001, 20001]}) == [(20002, 20002)]
    assert numbers(GRACE, {**ADA, "uid": 20001}) == [(20002, 20002), (20001, 20001)]


def test_addresses_stay_and_those_of_who_has_left_come_last() -> None:
    had = {"gone": "172.31.250.2", "ada": "172.31.250.3"}
    assert [user["address"] for user in users(GRACE, ADA, addresses=had)] == ["172.31.250.4", "172.31.250.3"]
    many = [{"name": f"user{number}"} for number in range(4)]
    assert [user["address"] for user in users(*many, ADA, addresses=had)][:4] == [f"172.31.250.{last}" for last in (4, 5, 6, 2)]


def test_another_network_is_other_addresses() -> None:
    assert users(ADA, subnet="10.9.0.0/24", addresses={"ada": "172.31.250.3"})[0]["address"] == "10.9.0.2"


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([], "found nobody in jupyter_hub_users"),
        ([ADA, ADA], "found user ada twice"),
        ([{"name": "root"}], "expected a login name other than root"),
        ([{"name": "Ada/.."}], "expected a login name other than root"),
        ([{**ADA, "uid": 0}], "found uid 0, expected a number above 0"),
        ([{**ADA, "gpus": -1}], "found gpus -1, expected the largest number"),
        ([{**ADA, "groups": ["wheel"]}], "found groups"),
        ([{**ADA, "password": "short"}], "found a password of 5 characters, expected at least 12"),
        ([{**ADA, "uid": 7}, {**GRACE, "uid": 7}], "found uid 7 for ada and grace, expected each user to have a number of its own"),
        ([{"name": f"user{number}"} for number in range(6)], "with an address for each of 6 users"),
    ],
)
def test_mistakes_are_refused(entries: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(AnsibleFilterError, match=says) as refusal:
        users(*entries)
    assert str(refusal.value).endswith("Next: correct jupyter_hub_users in the inventory. Nothing was changed")


@pytest.mark.parametrize("subnet", ["somewhere", "8.8.8.0/24", "fd00::/64"])
def test_a_network_that_is_none_is_refused(subnet: str) -> None:
    with pytest.raises(AnsibleFilterError, match="found jupyter_hub_network"):
        users(ADA, subnet=subnet)


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([{"name": "root"}], "expected a login name other than root"),
        ([ADA, ADA], "found user ada twice"),
        ([{**ADA, "uid": 7}, {**GRACE, "uid": "7"}, {"name": "joan"}], "found uid 7 for ada and grace"),
    ],
)
def test_what_the_inventory_alone_can_know_is_refused_without_a_node(entries: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        complete(entries)


def test_who_is_left_to_the_node_is_no_mistake() -> None:
    assert [user["uid"] for user in complete([{"name": f"user{number}"} for number in range(300)])] == [None] * 300


def test_a_password_is_not_told() -> None:
    with pytest.raises(AnsibleFilterError) as refusal:
        users({**ADA, "password": "hunter2"})
    assert "hunter2" not in str(refusal.value)


def test_profiles_are_as_they_are_given() -> None:
    given = [{"name": "All", "gpus": "all"}, {"name": "Slice", "gpus": 1, "mig": "1g.10gb", "memory": "64g", "cpus": 1.5}]
    assert hub_profiles([{**given[0], "mig": None}, given[1]]) == given


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([], "found no profile"),
        ([{"name": "One", "gpus": 1}] * 2, "found profile One twice"),
        ([{"name": " ", "gpus": 1}], "found no name"),
        ([{"name": "One", "gpus": "some"}], "found gpus 'some', expected all, or a number"),
        ([{"name": "One", "gpus": 1, "mig": "small"}], "found mig 'small'"),
        ([{"name": "One", "gpus": 1, "memory": "64 GB"}], "found memory '64 GB'"),
        ([{"name": "One", "gpus": 1, "cpus": 0}], "found cpus 0"),
    ],
)
def test_mistaken_profiles_are_refused(entries: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(AnsibleFilterError, match=says):
        hub_profiles(entries)
