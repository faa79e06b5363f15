"""What is read of an SSH server: its version, its Include, and which settings hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.roles.ssh.files import sshd_look
from ansible_collections.gpu.fleet.roles.ssh.files.sshd_look import (
    absent,
    connecting,
    foreign,
    foreigns,
    groups_of,
    includes,
    look,
    overridden,
    parse_settings,
    parse_socket,
    parse_version,
    texts,
)

DROP_IN = "/etc/ssh/sshd_config.d/00-gpu-fleet.conf"
SETTINGS = parse_settings((Path(__file__).parent / "captured" / "openssh-9.2p1-settings.txt").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.22 25 Aug 2026", (9, 2)),
        ("OpenSSH_10.0p2 Debian-7+deb13u4, OpenSSL 3.5.7 9 Jun 2026", (10, 0)),
        ("OpenSSH_8.9p1 Ubuntu-3ubuntu0.10, OpenSSL 3.0.2 15 Mar 2022", (8, 9)),
        ("ssh: not found", (0, 0)),
    ],
)
def test_version(text: str, version: tuple[int, int]) -> None:
    assert parse_version(text) == version


def test_settings_as_sshd_prints_them() -> None:
    assert SETTINGS["passwordauthentication"] == ["no"]
    assert SETTINGS["listenaddress"] == ["[::]:22", "0.0.0.0:22"]
    assert SETTINGS["permitrootlogin"] == ["without-password"]


@pytest.mark.parametrize(
    ("config", "answer"),
    [
        ("Include /etc/ssh/sshd_config.d/*.conf\n", True),
        ('  include "/etc/ssh/sshd_config.d/*.conf"\nPort 22\n', True),
        ("Port 22\nInclude /etc/crypto.conf /etc/ssh/sshd_config.d/*.conf\n", True),
        ("#Include /etc/ssh/sshd_config.d/*.conf\n", False),
        ("Include /etc/ssh/other.d/*.conf\n", False),
        ("", False),
    ],
)
def test_include(config: str, *, answer: bool) -> None:
    assert includes(config, DROP_IN) is answer


WRITTEN = "# Written by a test.\nPasswordAuthentication no\nPermitRootLogin prohibit-password\nAllowUsers root alice\n"
ALONE = {"passwordauthentication": ["no"], "permitrootlogin": ["without-password"], "allowusers": ["root", "alice"], "port": ["22"]}


def test_settings_that_hold() -> None:
    assert overridden(WRITTEN, ALONE, {**ALONE, "port": ["2222"]}) == []


def test_settings_that_another_file_overrides() -> None:
    whole = {**ALONE, "passwordauthentication": ["yes"], "allowusers": ["root", "alice", "bob"]}
    assert overridden(WRITTEN, ALONE, whole) == [
        "passwordauthentication yes (expected no)",
        "allowusers root alice bob (expected root alice)",
    ]


def test_nothing_written_is_nothing_overridden() -> None:
    assert overridden("", {}, ALONE) == []


def test_without_a_server_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sshd_look, "SSHD", str(tmp_path / "sshd"))
    answer = look(tmp_path / "sshd_config", tmp_path / "drop-in", tmp_path / "directory")
    assert "Found no SSH server" in answer["error"]
    assert "Next step: install the package openssh-server" in answer["error"]


def test_an_old_server_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sshd").touch()
    (tmp_path / "sshd_config").touch()
    monkeypatch.setattr(sshd_look, "SSHD", str(tmp_path / "sshd"))
    monkeypatch.setattr(sshd_look, "output", lambda *_: "OpenSSH_8.0p1, OpenSSL 1.1.1k")
    assert (
        "Found OpenSSH 8.0. Expected 8.5 or later." in look(tmp_path / "sshd_config", tmp_path / "drop-in", tmp_path / "directory")["error"]
    )


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("ActiveState=active\nListen=[::]:22 (Stream)\n", (True, ["22"])),
        ("Listen=0.0.0.0:2222 (Stream)\nListen=[::]:2222 (Stream)\nActiveState=active\n", (True, ["2222"])),
        ("ActiveState=inactive\nListen=[::]:22 (Stream)\n", (False, ["22"])),
        ("ActiveState=inactive\n", (False, [])),
    ],
)
def test_a_socket(text: str, answer: tuple[bool, list[str]]) -> None:
    assert parse_socket(text) == answer


def test_who_is_connected() -> None:
    assert connecting({"SUDO_USER": "fleet"}, "root", "") == "fleet"
    assert connecting({"SSH_CONNECTION": "1 2 3 4"}, "root", "") == "root"
    assert connecting({}, "root", str(2**32 - 1)) == ""
    assert groups_of("root") == ["root"]
    assert groups_of("") == []


def test_every_file_of_the_role_is_read(tmp_path: Path) -> None:
    (tmp_path / "own" / "principals").mkdir(parents=True)
    for name in ("own/user_ca_keys", "own/principals/alice", "drop-in"):
        (tmp_path / name).write_text(f"{name}\n", encoding="utf-8")
    found = texts(tmp_path / "drop-in", tmp_path / "own", "no-such-unit")
    assert {Path(path).name: text.strip() for path, text in found.items()} == {
        "alice": "own/principals/alice",
        "user_ca_keys": "own/user_ca_keys",
        "drop-in": "drop-in",
    }
    assert texts(tmp_path / "none", tmp_path / "none", "no-such-unit") == {}


def test_keys_are_for_users_that_there_are() -> None:
    assert absent(["root", "nobody-of-that-name"]) == ["nobody-of-that-name"]
    # Root's own links lead where root wanted them to.
    assert foreigns(["root", "nobody-of-that-name"]) == []


def test_no_key_is_written_through_a_link(tmp_path: Path) -> None:
    assert foreign(tmp_path, 2001) == ""
    (tmp_path / ".ssh").symlink_to("/etc")
    assert "/.ssh is a link to /etc, expected a directory of the user's own" in foreign(tmp_path, 2001)
