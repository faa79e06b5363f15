"""The list of workspaces: what is filled in, and what is refused before anything is changed."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.gpu.fleet.plugins.filter.unclaimed_data import unclaimed_data
from ansible_collections.gpu.fleet.plugins.filter.workspaces import workspaces

PLACES = {"data_directory": "/srv/workspaces", "bind_address": "127.0.0.1", "ssh_bind_address": "0.0.0.0", "shm_size": "8g"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIvs0zTh4Nh0wzm8bq1qk1bYb4mAEkT2SxKyqVJp6Vhz someone"


def entry(**changes: object) -> dict:
    return {"name": "alice", "user": "alice", "authorized_keys": [KEY], **changes}


def complete(*entries: dict) -> list[dict]:
    return workspaces(list(entries), PLACES)


def test_what_is_left_out_is_filled_in() -> None:
    (workspace,) = complete(entry())
    assert {key: workspace[key] for key in ("gpus", "jupyter_port", "ssh_port", "idle_shutdown_minutes")} == {
        "gpus": "all",
        "jupyter_port": "auto",
        "ssh_port": "auto",
        "idle_shutdown_minutes": 0,
    }
    assert {key: workspace[key] for key in ("data", "bind_address", "ssh_bind_address", "shm_size")} == {
        "data": "/srv/workspaces/alice",
        "bind_address": "127.0.0.1",
        "ssh_bind_address": "0.0.0.0",
        "shm_size": "8g",
    }


def test_one_key_may_stand_alone() -> None:
    assert complete(entry(authorized_keys=KEY)) == complete(entry())


def test_what_is_harmless_is_let_through() -> None:
    options = [
        "--ulimit=memlock=-1",
        "--init",
        "--env=A=1",
        "--device=/dev/infiniband",
        "--device=/dev/infiniband/uverbs0",
        "--network=fleet",
    ]
    (workspace,) = complete(
        entry(options=options, data="/home/alice/workspace", datasets=["/usr/share/data"], volumes=["/scratch:/scratch"])
    )
    assert workspace["options"] == options


def test_what_is_empty_is_left_out() -> None:
    """A specification hands over None for what an entry does not say."""
    assert complete(entry(memory=None, data=None, uid=None)) == complete(entry())


def test_nothing_is_well() -> None:
    assert complete() == []


@pytest.mark.parametrize(
    "second",
    [
        {},
        {"jupyter_port": 8889, "ssh_port": 2223},
        {"jupyter_port": 8888, "bind_address": "127.0.0.2"},
        {"gpus": []},
    ],
)
def test_two_that_get_along(second: dict) -> None:
    assert len(complete(entry(jupyter_port=8888), entry(name="bob", **second))) == 2


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "Alice"}, "found name 'Alice'"),
        ({"name": "a/../b"}, "found name"),
        ({"name": "-x"}, "found name"),
        ({"user": "root"}, "found user 'root'"),
        ({"user": "a b"}, "found user 'a b'"),
        ({"user": "nobody"}, "found user 'nobody'"),
        ({"authorized_keys": {"alice": KEY}}, "found names with values as authorized_keys, expected a list"),
        ({"authorized_keys": "nonsense"}, "found the key 'nonsense'..., expected a public key"),
        ({"volumes": "/scratch:/scratch"}, "found a number or text as volumes, expected a list"),
        ({"environment": "A=1"}, "found a number or text as environment, expected names with values"),
        ({"exclusive": "maybe"}, "found a number or text as exclusive, expected true or false"),
        ({"uid": 0}, "found uid 0"),
        ({"uid": "²"}, "found uid '²'"),
        ({"uid": True}, "found uid True"),
        ({"jupyter_port": 0}, "found jupyter_port 0"),
        ({"ssh_port": 65536}, "found ssh_port 65536"),
        ({"ssh_port": "22x"}, "found ssh_port '22x'"),
        ({"data": "srv/x"}, "found the path 'srv/x'"),
        ({"data": "/"}, "found the path '/'"),
        ({"data": "/srv"}, "found the path '/srv'"),
        ({"data": "/srv/a:b"}, "found the path"),
        ({"data": "/etc/ssh"}, "found the path '/etc/ssh', which is, lies in or holds /etc"),
        ({"data": "/usr/local/alice"}, "lies in or holds /usr (the node's programs)"),
        ({"data": "/var/lib"}, "holds /var/lib/docker"),
        ({"data": "/srv/w/../../etc"}, "expected one without . and .."),
        ({"datasets": ["/run/docker.sock"]}, "the engine's socket"),
        ({"volumes": ["/run:/x"]}, "found the path '/run', which is, lies in or holds /run (the sockets of services"),
        ({"volumes": ["/var/run/nvidia:/x:ro"]}, "lies in or holds /var/run"),
        ({"volumes": ["/srv/../etc:/x"]}, "expected one without . and .."),
        ({"volumes": ["/:/x"]}, "found the volume '/:/x'"),
        ({"options": ["--privileged"]}, "found the option --privileged, expected none that gives a workspace privileges"),
        ({"options": ["--cap-add=SYS_ADMIN"]}, "found the option --cap-add"),
        ({"options": ["--network=host"]}, "found the option --network, expected none that gives a workspace the node's network"),
        ({"options": ["--network=name=host"]}, "found the option --network"),
        ({"options": ["--device=/dev/sda"]}, "found the option --device"),
        ({"options": ["--device=/dev/infiniband/../sda"]}, "found the option --device"),
        ({"options": ["--volume=/:/x"]}, "say volumes or datasets"),
        (
            {"options": ["--env=NVIDIA_VISIBLE_DEVICES=all"]},
            "found the option --env, expected none that gives a workspace GPUs that others have",
        ),
        ({"options": ["--use-api-socket"]}, "found the option --use-api-socket"),
        ({"options": ["-v/:/x"]}, "found the option '-v/:/x', expected --name, or --name=value in one word"),
        ({"options": ["--pid", "host"]}, "found the option --pid"),
        ({"bind_address": "eth0"}, "found bind_address 'eth0'"),
        ({"gpus": "0"}, "found gpus '0'"),
        ({"gpus": True}, "found gpus True"),
        ({"gpus": 0}, "found gpus 0"),
        ({"gpus": ["eth0"]}, "found gpus ['eth0']"),
        ({"name": "hub"}, "found name 'hub'"),
        ({"gid": "users"}, "found gid 'users'"),
        ({"groups": ["users"]}, "found groups ['users']"),
        ({"cpus": 0}, "found cpus 0"),
        ({"memory": "64 GB"}, "found memory '64 GB'"),
        ({"shm_size": "8"}, "found shm_size '8'"),
        ({"idle_shutdown_minutes": -5}, "found idle_shutdown_minutes -5"),
        ({"ssh_bind_address": "lan"}, "found ssh_bind_address 'lan'"),
        ({"volumes": ["/scratch"]}, "found the volume '/scratch'"),
        ({"volumes": ["/var/run/docker.sock:/var/run/docker.sock"]}, "the engine's socket"),
        ({"datasets": ["imagenet"]}, "found the path 'imagenet'"),
        ({"password": "short"}, "found a password of 5 characters"),
        ({"environment": {"A-B": "1"}}, "found the variables A-B"),
        ({"environment": {"A": "1\n2"}}, "found the variables A"),
        ({"gpus": [0, 0]}, "found gpus [0, 0]"),
        ({"authorized_keys": []}, "found no authorized_keys"),
        ({"authorized_keys": ["ssh-ed25519 nonsense"]}, "found the key"),
        ({"authorized_keys": [KEY.replace("ssh-ed25519", "ssh-rsa")]}, "found the key"),
        ({"authorized_keys": ["-----BEGIN OPENSSH PRIVATE KEY-----"]}, "found the key"),
        ({"authorized_keys": [f'command="sh" {KEY}']}, "found the key"),
        ({"authorized_keys": [f"{KEY}\n{KEY}"]}, "found the key"),
        ({"port": 1}, "found port, expected one of"),
        ({"user": ""}, "found no user"),
    ],
)
def test_mistakes(changes: dict, says: str) -> None:
    with pytest.raises(AnsibleFilterError) as refusal:
        complete(entry(**changes))
    message = str(refusal.value)
    assert says in message
    assert "expected" in message
    assert "Next: " in message
    assert "Nothing was changed" in message


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ({"name": "alice", "jupyter_port": 1, "ssh_port": 2}, "found name alice 2 times"),
        ({"jupyter_port": 8888, "ssh_port": 1}, "found port 8888 for alice (jupyter_port) and for bob (jupyter_port)"),
        ({"jupyter_port": 2222, "ssh_port": 1}, "found port 2222 for alice (ssh_port) and for bob (jupyter_port)"),
        ({"jupyter_port": 8888, "bind_address": "0.0.0.0"}, "found port 8888"),
        ({"gpus": "all", "exclusive": True}, "found gpus all for bob, which is exclusive, and for alice"),
        (
            {"jupyter_port": 1, "ssh_port": 2, "data": "/srv/workspaces/alice"},
            "found data /srv/workspaces/alice for alice and /srv/workspaces/alice",
        ),
        ({"jupyter_port": 1, "ssh_port": 2, "data": "/srv/workspaces/alice/home"}, "expected each to have its own, outside of the other's"),
    ],
)
def test_conflicting_claims(second: dict, says: str) -> None:
    with pytest.raises(AnsibleFilterError) as refusal:
        complete(entry(jupyter_port=8888, ssh_port=2222), {**entry(name="bob"), **second})
    assert says in str(refusal.value)


def test_one_workspace_cannot_use_one_port_twice() -> None:
    with pytest.raises(AnsibleFilterError, match="found port 8888 for alice"):
        complete(entry(jupyter_port=8888, ssh_port=8888, bind_address="0.0.0.0"))


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(AnsibleFilterError) as refusal:
        complete(entry(uid=0), entry(name="Bob", ssh_port=0))
    for says in ("uid 0", "'Bob'", "ssh_port 0"):
        assert says in str(refusal.value)


def test_a_key_is_not_repeated_in_full() -> None:
    """A private key that was pasted by mistake must not be in the log."""
    secret = "-----BEGIN OPENSSH PRIVATE KEY-----b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ"
    with pytest.raises(AnsibleFilterError) as refusal:
        complete(entry(authorized_keys=[secret]))
    assert "b3BlbnNzaC1rZXk" not in str(refusal.value)


@pytest.mark.parametrize(
    ("remaining", "removed"),
    [
        ([], ["/srv/w/a"]),
        ([entry(name="ab", data="/srv/w/ab")], ["/srv/w/a"]),
        # Renamed, with the same data.
        ([entry(name="b", data="/srv/w/a")], []),
        ([entry(name="b", data="/srv/w/a/home")], []),
        ([entry(name="b", data="/srv/w")], []),
        ([entry(name="b", volumes=["/srv/w/a/home:/old"])], []),
        ([entry(name="b", datasets=["/srv/w/a"])], []),
    ],
)
def test_data_that_another_has_is_not_removed(remaining: list[dict], removed: list[str]) -> None:
    claims = {"a": {"data": "/srv/w/a"}, "broken": {}}
    assert unclaimed_data(claims, ["a", "broken", "unknown"], complete(*remaining)) == removed
    # One that is there and does not leave, though the list has it not.
    assert unclaimed_data({**claims, "stays": {"data": "/srv/w/a"}}, ["a"], complete(*remaining)) == []
