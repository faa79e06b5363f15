"""What is gathered is complete: real apt, a real signed repository of a few packages, and no network."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.packages import Wanted, gather
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.repository import index
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.signature import Keyring
from ansible_collections.gpu.fleet.plugins.module_utils.driver import scratch_apt
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from unit.module_utils.bundle.debian_package import build

SOURCES, KEY = "/etc/apt/sources.list.d/theirs.sources", "/etc/apt/keyrings/theirs.asc"


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a repository, and a node whose own sources have nothing; return the repository's key."""
    folder = tmp_path / "theirs"
    build(folder, "engine", "1:2.0-1", "library (>= 1.0)")
    build(folder, "library", "1.5-1")
    build(folder, "another", "3.0-1")
    index(folder, "amd64")
    key = tmp_path / "theirs.asc"
    with Keyring() as keyring:
        (folder / "InRelease").write_bytes(keyring.clear((folder / "Release").read_bytes()))
        key.write_bytes(keyring.public())
    node = [tmp_path / "node" / name for name in ("sources.list", "sources.list.d", "lists")]
    for directory in node[1:]:
        directory.mkdir(parents=True)
    monkeypatch.setattr(scratch_apt, "whereabouts", lambda: node)
    return key


def wanted(tmp_path: Path, key: Path, *packages: str) -> Wanted:
    text = f"Types: deb\nURIs: file:{tmp_path}/theirs\nSuites: /\nSigned-By: {KEY}\n"
    return Wanted({SOURCES: text}, {KEY: key}, ((), packages), mirrors=("nvidia/debian12/x86_64",))


def test_what_is_wanted_comes_with_what_it_depends_on(tmp_path: Path, key: Path) -> None:
    (tmp_path / "work").mkdir()
    versions = gather(wanted(tmp_path, key, "engine"), tmp_path / "work", tmp_path / "packages.tar")
    assert versions == {"engine": "1:2.0-1", "library": "1.5-1"}
    with tarfile.open(tmp_path / "packages.tar") as tar:
        content = {member.name: member for member in tar if not member.isdir()}
        tar.extractall(tmp_path / "there", filter="tar")
    assert sorted(content) == [
        "./Packages",
        "./Packages.gz",
        "./Release",
        "./engine_1.2.0-1_all.deb",
        "./keys/theirs.asc",
        "./library_1.5-1_all.deb",
        "./nvidia/debian12/x86_64",
    ]
    assert {(member.uid, member.uname) for member in content.values()} == {(0, "root")}
    assert (tmp_path / "there" / "nvidia" / "debian12" / "x86_64" / "Release").is_file()


def test_a_key_that_the_driver_brings_itself_is_used_too(tmp_path: Path, key: Path) -> None:
    (tmp_path / "work").mkdir()
    asked = wanted(tmp_path, key, "another=3.0-1")
    asked = Wanted({**asked.files, KEY: key.read_text()}, {}, asked.packages)
    assert gather(asked, tmp_path / "work", tmp_path / "packages.tar") == {"another": "3.0-1"}


@pytest.mark.parametrize("package", ["engine=9", "nothing"])
def test_what_no_source_has_is_refused(tmp_path: Path, key: Path, package: str) -> None:
    (tmp_path / "work").mkdir()
    with pytest.raises(Refusal, match=package.partition("=")[0]):
        gather(wanted(tmp_path, key, package), tmp_path / "work", tmp_path / "packages.tar")
    assert not (tmp_path / "packages.tar").exists()
