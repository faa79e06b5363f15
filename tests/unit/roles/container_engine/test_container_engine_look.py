"""What the role container_engine decides from one look at a node."""

from __future__ import annotations

import json

import pytest
from ansible_collections.gpu.fleet.roles.container_engine.files import look


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{\n  "a": 1,\n  b\n}', r"line 3, column 3: Expecting property name"),
        ("[1]", r"a JSON list"),
        ('{"a": ', r"line 1, column 7: Expecting value"),
    ],
)
def test_a_file_that_docker_cannot_read(text: str, found: str) -> None:
    with pytest.raises(ValueError, match=rf"Found /etc/docker/daemon.json .*{found}.*Nothing was changed"):
        look.parse(text)


@pytest.mark.parametrize("text", ["", " \n", "{}"])
def test_an_empty_file(text: str) -> None:
    assert look.parse(text) == {}


def test_what_others_wrote_stays() -> None:
    old = {"runtimes": {"nvidia": {"path": "n"}}, "features": {"buildkit": True}, "log-opts": {"max-size": "1m"}, "labels": ["a"]}
    new = look.merge(old, {"features": {"cdi": True}, "labels": ["b"], "log-opts": None, "log-driver": None})
    assert new == {"runtimes": {"nvidia": {"path": "n"}}, "features": {"buildkit": True, "cdi": True}, "labels": ["b"]}
    assert old["labels"] == ["a"]


@pytest.mark.parametrize(
    ("old", "new", "restart"),
    [
        ({}, {"live-restore": True}, False),
        ({"registry-mirrors": ["a"]}, {"registry-mirrors": ["b"], "runtimes": {"nvidia": {}}}, False),
        ({}, {"features": {"cdi": True}}, True),
        ({}, {"log-driver": "journald"}, True),
        ({"labels": ["a"]}, {}, True),
    ],
)
def test_what_needs_a_restart(old: look.Config, new: look.Config, *, restart: bool) -> None:
    assert look.needs_restart(old, new) is restart


def test_a_file_that_says_the_same_keeps_its_text() -> None:
    text = '{"live-restore":true}'
    assert look.daemon_json(text, {"live-restore": True}) == {"old": text, "new": text, "differs": False, "restart": False}
    changed = look.daemon_json(text, {"debug": True})
    assert changed["differs"]
    assert json.loads(changed["new"]) == {"live-restore": True, "debug": True}


STATUS = "docker.io 26.1.5+dfsg1-9 hold installed\ndocker-cli 26.1.5+dfsg1-9 install installed\nold 1 deinstall config-files\n"


@pytest.mark.parametrize(
    ("wanted", "differ"),
    [
        ({"docker.io": "", "docker-cli": ""}, []),
        ({"docker.io": "26.1.*", "docker-cli": "26.1.*"}, ["docker-cli"]),
        ({"docker.io": "26.1.5+dfsg1-9"}, []),
        ({"docker.io": "28.*"}, ["docker.io"]),
        ({"old": "", "absent": ""}, ["old", "absent"]),
    ],
)
def test_packages(wanted: dict[str, str], differ: list[str]) -> None:
    assert look.packages_differ(STATUS, wanted) == differ


@pytest.mark.parametrize(
    ("version", "validates"),
    [("Docker version 20.10.24+dfsg1, build 297e128", False), ("Docker version 26.1.5+dfsg1, build 411e817", True), ("", False)],
)
def test_validation_is_known_by_the_version(version: str, *, validates: bool) -> None:
    assert look.validates(version) is validates


@pytest.mark.parametrize(("found", "wanted", "differs"), [(None, None, True), ("a", None, False), ("a", "a", False), ("a", "b", True)])
def test_files(found: str | None, wanted: str | None, *, differs: bool) -> None:
    assert look.text_differs(found, wanted) is differs
