"""The scratch copy of apt's state is one of what apt itself uses, wherever that is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.driver import scratch_apt
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.scratch_apt import ScratchApt, whereabouts


def test_apt_says_where_its_sources_are(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = "A='/dev/null'\nB='/var/lib/a bundle/sources.list.d'\nC='/var/lib/a bundle/lists/'\n"
    monkeypatch.setattr(scratch_apt, "output", lambda *_: answer)
    assert whereabouts() == [Path("/dev/null"), Path("/var/lib/a bundle/sources.list.d"), Path("/var/lib/a bundle/lists")]


def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScratchApt:
    for directory in ("parts", "lists", "copy", "etc/apt.conf.d"):
        (tmp_path / directory).mkdir(parents=True)
    monkeypatch.setattr(ScratchApt, "etc", tmp_path / "etc")
    monkeypatch.setattr(scratch_apt, "whereabouts", lambda: [Path("/dev/null"), tmp_path / "parts", tmp_path / "lists"])
    return ScratchApt(tmp_path / "copy")


def test_a_mirrors_password_is_neither_compared_nor_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """apt-cache policy has addresses without it, and nothing was found; and what apt-get update says has it."""
    apt = copy(tmp_path, monkeypatch)
    monkeypatch.setattr(scratch_apt, "output", lambda *_, **__: "http://joe:secret@mirror.example/debian/|bookworm|Debian\n")
    assert apt.archive("Debian") == {("http://mirror.example/debian", "bookworm")}
    said = "E: Failed to fetch http://joe:secret@mirror.example/debian/dists/bookworm/InRelease  401  Unauthorized\n"
    monkeypatch.setattr(scratch_apt, "run", lambda *_, **__: subprocess.CompletedProcess((), 100, "", said))
    with pytest.raises(Refusal, match=r"Failed to fetch http://mirror\.example/debian/dists/bookworm/InRelease") as refusal:
        apt.update({"http://mirror.example/debian"})
    assert "secret" not in str(refusal.value)


def test_the_copy_is_of_these(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts, lists = tmp_path / "parts", tmp_path / "lists"
    for directory in (parts, lists, tmp_path / "copy"):
        directory.mkdir()
    (parts / "bundle.sources").write_text("Types: deb\n")
    (lists / "bundle_InRelease").write_text("Origin: test\n")
    monkeypatch.setattr(scratch_apt, "whereabouts", lambda: [Path("/dev/null"), parts, lists])
    apt = ScratchApt(tmp_path / "copy")
    assert apt.sources() == {str(parts / "bundle.sources"): "Types: deb\n"}
    apt.write(str(parts / "bundle.sources"), "Types: deb-src\n")
    apt.write("/dev/null", "deb a b c\n")
    apt.write("/etc/apt/sources.list.d/new.sources", "new")
    copies = {path.name: path.read_text() for path in (tmp_path / "copy" / "sources.list.d").iterdir()}
    assert copies == {"bundle.sources": "Types: deb-src\n", "new.sources": "new"}
    assert (tmp_path / "copy" / "sources.list").read_text() == "deb a b c\n"
    assert (tmp_path / "copy" / "lists" / "bundle_InRelease").exists()
    assert (parts / "bundle.sources").read_text() == "Types: deb\n"
    apt.remove(str(parts / "bundle.sources"))
    assert not (tmp_path / "copy" / "sources.list.d" / "bundle.sources").exists()
