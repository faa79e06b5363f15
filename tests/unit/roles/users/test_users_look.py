"""What is read of a node's users."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.gpu.fleet.roles.users.files.look import connecting, foreign, key_digests, look, text_of


def test_who_is_connected() -> None:
    assert connecting({"SUDO_USER": "fleet"}, "root", "") == "fleet"
    assert connecting({"DOAS_USER": "fleet"}, "root", "") == "fleet"
    assert connecting({"SSH_CONNECTION": "1 2 3 4"}, "root", "") == "root"
    assert connecting({}, "root", "0") == "root"
    assert connecting({}, "root", str(2**32 - 1)) == ""
    assert connecting({}, "root", "") == ""


def test_keys_leave_the_node_as_digests_only() -> None:
    text = "# comment\n\n  ssh-ed25519 AAAA alice \nssh-ed25519 BBBB\n"
    digests = key_digests(text)
    assert len(digests) == 2
    assert all(len(digest) == 64 for digest in digests)
    assert "AAAA" not in "".join(digests)


def test_what_is_no_plain_file_is_empty(tmp_path: Path) -> None:
    assert text_of(tmp_path) == ""
    assert text_of(tmp_path / "none") == ""


def test_a_home_without_keys_or_with_ones_own_is_well(tmp_path: Path) -> None:
    assert foreign(tmp_path, os.getuid() or 1) == ""
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/authorized_keys").touch()
    assert foreign(tmp_path, os.getuid()) == ""


def plant_link(home: Path) -> None:
    (home / ".ssh").mkdir()
    (home / ".ssh/authorized_keys").symlink_to("/etc/shadow")


def plant_linked_directory(home: Path) -> None:
    (home / ".ssh").symlink_to("/etc")


def plant_pipe(home: Path) -> None:
    (home / ".ssh").mkdir()
    os.mkfifo(home / ".ssh/authorized_keys")


def plant_nothing(home: Path) -> None:
    """Only the owner is another."""
    (home / ".ssh").mkdir()


@pytest.mark.parametrize(
    ("plant", "says"),
    [
        (plant_link, "/.ssh/authorized_keys is a link to /etc/shadow, expected a plain file of the user's own"),
        (plant_linked_directory, "/.ssh is a link to /etc, expected a directory of the user's own"),
        (plant_pipe, "/.ssh/authorized_keys is no plain file"),
        (plant_nothing, f"/.ssh belongs to number {os.getuid()}, expected {os.getuid() + 1}"),
    ],
)
def test_no_key_is_written_where_a_user_has_put_something_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, plant: Callable[[Path], None], says: str
) -> None:
    plant(tmp_path)
    if plant is not plant_nothing:
        # As if what was planted were the user's: it is this test's, which may run as root.
        monkeypatch.setattr(Path, "lstat", lambda path: SimpleNamespace(st_mode=os.lstat(path).st_mode, st_uid=os.getuid() + 1))
    assert says in foreign(tmp_path, os.getuid() + 1)


def test_this_machine(tmp_path: Path) -> None:
    found = look(tmp_path / "none", ["root", "nobody-of-that-name"])
    assert list(found["users"]) == ["root"]
    assert found["uids"]["0"] == "root"
    assert found["record"] == {"users": {}, "groups": [], "former": {}}
    (tmp_path / "record").write_text(json.dumps({"users": {"daemon": 1}, "groups": [], "former": {}}))
    assert "daemon" in look(tmp_path / "record", [])["users"]
