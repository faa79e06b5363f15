"""Shared data: what is filled in, what is refused, and what there is to do on a node."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.gpu.fleet.plugins.filter.nfs_mounts import nfs_mounts
from ansible_collections.gpu.fleet.plugins.module_utils.nfs.mounts import complete, lines, options

DATA = {"path": "/data/imagenet", "server": "nfs-01", "export": "/export/imagenet"}


def entry(**changes: Any) -> dict[str, Any]:
    return {**DATA, **changes}


def line(**changes: Any) -> dict[str, Any]:
    (wanted,) = lines(complete([DATA]), 30, 600)
    return {**wanted, "type": "nfs", "waits": True, **changes}


def test_data_sets_are_read_only_and_give_up_on_a_dead_server() -> None:
    given = options(complete([DATA])[0], 30, 600).split(",")
    assert given[:2] == ["ro", "nfsvers=4.2"]
    assert {"soft", "timeo=100", "retrans=2", "nofail", "_netdev", "x-systemd.automount", "x-systemd.mount-timeout=30"} <= set(given)
    assert "x-systemd.idle-timeout=600" in given


def test_what_is_written_is_not_given_up() -> None:
    given = options(complete([entry(writable=True)])[0], 30, 0).split(",")
    assert given[0] == "rw"
    assert "hard" in given
    assert "soft" not in given
    assert not [option for option in given if "idle-timeout" in option]


def test_the_inventorys_own_options_have_the_last_word() -> None:
    assert options(complete([entry(options=["soft", "rsize=65536"])])[0], 30, 0).endswith(",soft,rsize=65536")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"path": ""}, "found no path"),
        ({"path": "data"}, "found path 'data'"),
        ({"path": "/data/../etc"}, "found path"),
        ({"path": "/"}, "found path '/'"),
        ({"path": "/home"}, "found path '/home'"),
        ({"path": "/etc/x"}, "found path '/etc/x'"),
        ({"path": "/data/a b"}, "found path"),
        ({"server": "a/b"}, "found server"),
        ({"export": "x"}, "found export"),
        ({"version": "2"}, "found version"),
        ({"options": ["a,b"]}, "found option"),
        ({"options": ["a b"]}, "found option"),
        ({"readonly": True}, "found readonly, expected one of"),
    ],
)
def test_a_mistake_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(AnsibleFilterError, match="Nothing was changed") as told:
        nfs_mounts([entry(**changes)], [], 30, 600)
    assert says in str(told.value)


def test_no_mount_is_another_nor_within_it() -> None:
    with pytest.raises(ValueError, match="found path /data/imagenet 2 times"):
        complete([DATA, DATA])
    with pytest.raises(ValueError, match="found path /data/imagenet/small within /data/imagenet"):
        complete([DATA, entry(path="/data/imagenet/small")])


def test_a_new_one() -> None:
    found = nfs_mounts([DATA], [], 30, 600)
    assert [written["src"] for written in found["write"]] == ["nfs-01:/export/imagenet"]
    assert (found["stop"], found["start"], found["problems"]) == ([], ["/data/imagenet"], [])


def test_what_is_as_it_should_be_is_left() -> None:
    assert nfs_mounts([DATA], [line()], 30, 600) == {"problems": [], "write": [], "leave": [], "stop": [], "start": []}


def test_one_that_does_not_wait_is_started_and_not_written() -> None:
    found = nfs_mounts([DATA], [line(waits=False)], 30, 600)
    assert (found["write"], found["stop"], found["start"]) == ([], [], ["/data/imagenet"])


def test_one_that_changes_is_ended_first() -> None:
    found = nfs_mounts([entry(writable=True)], [line()], 30, 600)
    assert (found["leave"], found["stop"], found["start"]) == ([], ["/data/imagenet"], ["/data/imagenet"])


def test_one_that_left_is_removed_and_the_nodes_own_lines_are_not() -> None:
    own = {"path": "/mnt", "src": "x:/y", "type": "nfs", "opts": "defaults", "waits": False}
    found = nfs_mounts([], [line(), own], 30, 600)
    assert (found["leave"], found["stop"], found["start"], found["write"]) == (["/data/imagenet"], ["/data/imagenet"], [], [])


def test_a_path_of_the_nodes_own_is_refused() -> None:
    own = line(opts="defaults")
    assert nfs_mounts([DATA], [own], 30, 600)["problems"] == [
        "found that /data/imagenet is in the node's fstab already, expected it to be free"
    ]
