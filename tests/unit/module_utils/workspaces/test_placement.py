"""What a node gives to its workspaces: GPUs, ports and users; what it has not is refused, all at once."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.workspaces.claims import complete
from ansible_collections.gpu.fleet.plugins.module_utils.workspaces.placement import place
from hypothesis import given
from hypothesis import strategies as st

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIvs0zTh4Nh0wzm8bq1qk1bYb4mAEkT2SxKyqVJp6Vhz someone"
PLACES = {"data_directory": "/srv/workspaces", "bind_address": "127.0.0.1", "ssh_bind_address": "0.0.0.0", "shm_size": "8g"}


def gpu(index: int, *mig: str) -> dict[str, Any]:
    return {"index": index, "uuid": f"GPU-{index:08x}", "mig": [{"index": f"{index}:{n}", "uuid": uuid} for n, uuid in enumerate(mig)]}


def node(**changes: Any) -> dict[str, Any]:
    empty = {
        "no_gpus": "",
        "claims": {},
        "leaving": [],
        "listening": [],
        "users": {},
        "numbers": [],
        "homes": {},
        "missing": [],
        "owners": {},
        "free_bytes": {},
    }
    return {"gpus": [gpu(index) for index in range(4)], **empty, **changes}


def entries(*changes: dict[str, Any]) -> list[dict[str, Any]]:
    names = ("alice", "bob", "carol", "dave")
    return complete([{"name": name, "user": name, "authorized_keys": [KEY], **change} for name, change in zip(names, changes)], PLACES)


def claimed(placed: list[dict[str, Any]]) -> dict[str, Any]:
    return {w["name"]: {"gpus": w["gpu_uuids"], "jupyter_port": w["jupyter_port"], "ssh_port": w["ssh_port"]} for w in placed}


def test_the_first_gets_the_well_known_ports_and_the_next_the_next() -> None:
    placed = place(entries({}, {}), node(), 0)
    assert [(w["jupyter_port"], w["ssh_port"]) for w in placed] == [(8888, 2222), (8889, 2223)]


def test_a_newcomer_takes_nobodys_ports_or_gpus() -> None:
    before = place(entries({"gpus": 1}, {"gpus": 2}), node(), 0)
    assert [w["gpus"] for w in before] == [["0"], ["1", "2"]]
    # bob stays, alice goes, and one comes who is named before him.
    newcomer, bob = place(entries({"gpus": 2, "name": "newcomer"}, {"gpus": 2}), node(claims={"bob": claimed(before)["bob"]}), 0)
    assert (bob["jupyter_port"], bob["ssh_port"], bob["gpus"]) == (8889, 2223, ["1", "2"])
    assert (newcomer["jupyter_port"], newcomer["ssh_port"], newcomer["gpus"]) == (8888, 2222, ["0", "3"])


def test_a_workspace_keeps_its_gpus() -> None:
    claims = {"alice": {"gpus": ["GPU-00000002", "GPU-00000003"], "jupyter_port": 8900, "ssh_port": 2300}}
    (alice,) = place(entries({"gpus": 2}), node(claims=claims), 0)
    assert (alice["gpu_uuids"], alice["jupyter_port"], alice["ssh_port"]) == (["GPU-00000002", "GPU-00000003"], 8900, 2300)


def has(place: int, *gpus: int) -> dict[str, Any]:
    return {"gpus": [f"GPU-{index:08x}" for index in gpus], "jupyter_port": 8888 + place, "ssh_port": 2222 + place}


BOB_HAS = {"alice": has(0), "bob": has(1, 0, 1)}


@pytest.mark.parametrize(
    ("newcomer", "says"),
    [
        ({"gpus": ["0"]}, "found GPU 0 for carol, which bob has by count (gpus: 2), expected GPUs that nobody has by count"),
        ({"gpus": ["GPU-00000001"]}, "found GPU 1 for carol, which bob has by count"),
        ({"gpus": [], "ssh_port": 2222}, "found port 2222 for carol (ssh_port), which alice has as ssh_port: auto"),
        ({"gpus": [], "jupyter_port": 2222}, "found port 2222 for carol (jupyter_port), which alice has as ssh_port: auto"),
    ],
)
def test_a_newcomer_may_not_name_what_another_has(newcomer: dict[str, Any], says: str) -> None:
    """It would have to be restarted, and its kernels would end."""
    wanted = entries({"gpus": []}, {"gpus": 2}, newcomer)
    with pytest.raises(ValueError, match="Nothing was changed") as refused:
        place(wanted, node(claims=BOB_HAS), 0)
    assert says in str(refused.value)


def test_a_newcomer_by_count_named_first_leaves_everybody_what_they_have() -> None:
    """Also where somebody's count has become smaller, so that all GPUs are had."""
    claims = {"bob": has(1, 0, 1), "carol": has(2, 2, 3)}
    placed = place(entries({"gpus": 1}, {"gpus": 2}, {"gpus": 1}), node(claims=claims), 0)
    assert [w["gpus"] for w in placed] == [["3"], ["0", "1"], ["2"]]


def test_a_smaller_count_gives_one_back() -> None:
    placed = place(entries({"gpus": []}, {"gpus": 1}, {"gpus": ["0"]}), node(claims=BOB_HAS), 0)
    assert [w["gpus"] for w in placed] == [[], ["1"], ["0"]]


def test_a_port_on_another_address_is_another() -> None:
    wanted = entries({"ssh_bind_address": "10.0.0.1"}, {"ssh_bind_address": "10.0.0.2", "ssh_port": 2222, "gpus": []})
    alice, bob = place(wanted, node(claims=BOB_HAS), 0)
    assert (alice["ssh_port"], bob["ssh_port"]) == (2222, 2222)


@pytest.mark.parametrize(
    ("changes", "seen", "says"),
    [
        ([{"gpus": 5}], {}, "found 4 whole GPUs that no other workspace has, expected 5"),
        ([{"gpus": "all"}, {"gpus": 1}], {}, "workspace bob: found 0 whole GPUs that no other workspace has, expected 1"),
        ([{"gpus": ["1", "GPU-00000001"]}], {}, "found GPU 1 (GPU-00000001) and 1 (GPU-00000001), which are or share one"),
        (
            [{"gpus": ["0"]}],
            {"gpus": [gpu(0, "MIG-aaaaaaaa")]},
            "found GPU 0, which is in parts (MIG), expected one that is whole, or some of 0:0",
        ),
        ([{"gpus": ["0:0", "MIG-aaaaaaaa"]}], {"gpus": [gpu(0, "MIG-aaaaaaaa")]}, "expected each once"),
        ([{"gpus": 1}], {"gpus": [gpu(0, "MIG-aaaaaaaa", "MIG-bbbbbbbb")]}, "found 0 whole GPUs that no other workspace has, expected 1"),
        ([{"gpus": [7]}], {}, "workspace alice: found no GPU 7 on the node"),
        ([{"gpus": [0], "exclusive": True}, {"gpus": ["GPU-00000000"]}], {}, "found gpus 0 for alice, which is exclusive, and for bob"),
        ([{"gpus": ["0"]}, {"gpus": ["0:0"], "exclusive": True}], {"gpus": [gpu(0, "MIG-aaaaaaaa")]}, "for bob, which is exclusive"),
        ([{"user": "toor"}], {"users": {"toor": [0, 0]}}, "workspace alice: found that toor is root by another name on the node"),
        ([{"jupyter_port": 9000}], {"listening": [["0.0.0.0", 9000]]}, "found port 9000 (jupyter_port) in use by another program"),
        ([{"ssh_port": 22}], {"listening": [["::", 22]]}, "found port 22 (ssh_port) in use by another program"),
        ([{"datasets": ["/data/imagenet"]}], {"missing": ["/data/imagenet"]}, "found no directory /data/imagenet that answers"),
        ([{"volumes": ["/scratch/a:/scratch"]}], {"missing": ["/scratch/a"]}, "found no directory /scratch/a that answers"),
        (
            [{"data": "/home/bob/w"}],
            {"users": {"bob": [1001, 100]}, "owners": {"/home/bob/w": {"/home/bob": 1001}}},
            "found that /home/bob is bob's, who could lead the data /home/bob/w elsewhere",
        ),
        ([{}], {"free_bytes": {"/srv/workspaces/alice": 10**9}}, "found 1.0 GB free for /srv/workspaces/alice, expected at least 2.0 GB"),
    ],
)
def test_what_does_not_fit_is_refused(changes: list[dict[str, Any]], seen: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match="Nothing was changed") as refused:
        place(entries(*changes), node(**seen), 2 * 10**9)
    assert says in str(refused.value)


def test_everything_that_does_not_fit_is_said_at_once() -> None:
    with pytest.raises(ValueError, match="Nothing was changed") as refused:
        place(entries({"gpus": [9]}, {"datasets": ["/data/x"]}), node(missing=["/data/x"]), 0)
    assert "no GPU 9" in str(refused.value)
    assert "/data/x" in str(refused.value)


def test_a_workspace_may_have_what_it_has_already() -> None:
    claims = {"alice": {"gpus": [], "jupyter_port": 9000, "ssh_port": 2222}}
    seen = node(claims=claims, listening=[["127.0.0.1", 9000], ["0.0.0.0", 2222]], free_bytes={"/srv/workspaces/alice": 0})
    (alice,) = place(entries({"jupyter_port": 9000}), seen, 10**9)
    assert (alice["jupyter_port"], alice["ssh_port"]) == (9000, 2222)


def test_parts_of_one_gpu_are_two() -> None:
    seen = node(gpus=[gpu(0, "MIG-aaaaaaaa", "MIG-bbbbbbbb"), gpu(1)])
    placed = place(entries({"gpus": ["0:0"], "exclusive": True}, {"gpus": ["MIG-bbbbbbbb"], "exclusive": True}, {"gpus": 1}), seen, 0)
    assert [w["gpu_uuids"] for w in placed] == [["MIG-aaaaaaaa"], ["MIG-bbbbbbbb"], ["GPU-00000001"]]


def numbers(*changes: dict[str, Any], **seen: Any) -> list[tuple[int, int]]:
    return [(w["uid"], w["gid"]) for w in place(entries(*changes), node(**seen), 0)]


def test_the_data_of_who_cannot_log_in_to_the_node_may_lie_anywhere() -> None:
    owners = {"/srv/workspaces/alice": {"/srv/workspaces": 1001}}
    assert place(entries({}), node(users={"alice": [1000, 100]}, owners=owners), 0)


def test_a_user_that_the_node_knows_keeps_its_numbers() -> None:
    users = {"alice": [1234, 100], "carol": [1, 2]}
    assert numbers({}, {}, {"uid": 5000}, users=users) == [(1234, 100), (20001, 20001), (5000, 5000)]


def test_unknown_users_get_numbers_of_their_own() -> None:
    assert numbers({}, {}, {"user": "alice"}) == [(20001, 20001), (20002, 20002), (20001, 20001)]
    # Of accounts, of other entries and of homes of people who have left, none.
    assert numbers({}, {"uid": 20003}, numbers=[20001], homes={"/srv/workspaces/gone": [20002, 20002]})[0] == (20004, 20004)


def test_a_home_that_is_there_keeps_its_owner() -> None:
    homes = {"/srv/workspaces/alice": [1000, 1000], "/srv/workspaces/bob": [0, 0], "/srv/workspaces/hubs": [20007, 20008]}
    # Also for a second workspace of that user, and after the hub.
    assert numbers({}, {}, {"user": "alice"}, {"user": "hubs"}, homes=homes) == [(1000, 1000), (20001, 20001), (1000, 1000), (20007, 20008)]


@pytest.mark.parametrize("wanted", [{"gpus": [0, 1]}, {"gpus": 1}, {"gpus": "all", "exclusive": True}])
def test_gpus_that_could_not_be_listed_are_not_given_out(wanted: dict[str, Any]) -> None:
    """Whether an index and a UUID are one GPU would not be seen."""
    seen = node(gpus=[], no_gpus="nvidia-smi -L ended with status 9: no driver")
    with pytest.raises(
        ValueError, match=r"found no list of the node's GPUs to give some of \(nvidia-smi -L ended with status 9: no driver\)"
    ):
        place(entries(wanted), seen, 0)
    # In check mode there may be no driver yet.
    assert len(place(entries(wanted), node(gpus=[]), 0)) == 1


def test_who_needs_no_list_of_gpus_keeps_what_was_written_down() -> None:
    alice, bob = place(entries({}, {"gpus": []}), node(gpus=[], no_gpus="no driver", claims={"alice": has(0, 1)}), 0)
    assert (alice["gpu_uuids"], bob["gpu_uuids"]) == (["GPU-00000001"], [])


@given(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.lists(st.integers(1, 3), min_size=1, max_size=4))
def test_counts_never_share_and_a_second_run_changes_nothing(first: list[int], second: list[int]) -> None:
    claims: dict[str, Any] = {}
    for counts in (first, second):
        try:
            placed = place(entries(*({"gpus": count} for count in counts)), node(claims=claims), 0)
        except ValueError:
            assert sum(counts) > 4
            continue
        given_out = [uuid for w in placed for uuid in w["gpu_uuids"]]
        assert len(given_out) == len(set(given_out)) == sum(counts)
        claims = claimed(placed)
        again = place(entries(*({"gpus": count} for count in counts)), node(claims=claims), 0)
        assert claimed(again) == claims
