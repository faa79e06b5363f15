"""What is read of a node's users."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.gpu.fleet.roles.users.files.look import connecting, key_digests, look, text_of


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


def test_this_machine(tmp_path: Path) -> None:
    found = look(tmp_path / "none", ["root", "nobody-of-that-name"])
    assert list(found["users"]) == ["root"]
    assert found["uids"]["0"] == "root"
    assert found["record"] == {"users": {}, "groups": [], "former": {}}
    (tmp_path / "record").write_text(json.dumps({"users": {"daemon": 1}, "groups": [], "former": {}}))
    assert "daemon" in look(tmp_path / "record", [])["users"]
