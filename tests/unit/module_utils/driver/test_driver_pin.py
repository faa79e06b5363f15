"""What a plan tries beforehand is what apt understands: a pin has an effect, and so has a version."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.driver import scratch_apt
from ansible_collections.gpu.fleet.plugins.module_utils.driver.scratch_apt import ScratchApt

OFFERED = """\
Package: nvidia-persistenced
Version: {version}
Architecture: all
Maintainer: nobody
Filename: ./{version}.deb
Size: 1
SHA256: {digest}
Description: nothing
"""


def scratch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, packages: Iterable[str]) -> ScratchApt:
    """Have apt know a repository of these packages, without any other."""
    etc, repository, root = tmp_path / "etc", tmp_path / "repository", tmp_path / "scratch"
    for folder in (etc / "sources.list.d", etc / "apt.conf.d", repository, root, tmp_path / "lists"):
        folder.mkdir(parents=True)
    (repository / "Packages").write_text("\n".join(packages), encoding="utf-8")
    (etc / "sources.list").write_text(f"deb [trusted=yes] file:{repository} ./\n", encoding="utf-8")
    monkeypatch.setattr(ScratchApt, "etc", etc)
    monkeypatch.setattr(scratch_apt, "whereabouts", lambda: [etc / "sources.list", etc / "sources.list.d", tmp_path / "lists"])
    apt = ScratchApt(root)
    subprocess.run(
        ["apt-get", "-q", "update"], check=True, capture_output=True, env={"APT_CONFIG": str(root / "apt.conf"), "PATH": "/usr/bin:/bin"}
    )
    return apt


@pytest.mark.skipif(not shutil.which("apt-cache"), reason="no apt here")
def test_apt_prefers_the_pinned_version_of_what_comes_along(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    versions = ("595.58.03-1", "590.48.01-1")
    apt = scratch(monkeypatch, tmp_path, (OFFERED.format(version=version, digest="0" * 64) for version in versions))
    assert "Candidate: 595.58.03-1" in apt.run("apt-cache", "policy", "nvidia-persistenced")
    apt.pin("590.48.01")
    assert "Candidate: 590.48.01-1" in apt.run("apt-cache", "policy", "nvidia-persistenced")


@pytest.mark.skipif(not shutil.which("apt-cache"), reason="no apt here")
def test_a_version_that_is_not_the_newest_is_named_with_what_it_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ubuntu's compiled modules need objects and signatures of just their version, of which apt takes the newest where it is not told."""
    fields = "Version: {0}\nArchitecture: all\nMaintainer: nobody\nFilename: ./{1}_{0}.deb\nSize: 1\nSHA256: {2}\nDescription: nothing\n"
    needs = {"modules-generic": "modules-1 (= {0}), libc (>= 1)", "modules-1": "objects-1 (= {0}), common (<= 2)", "objects-1": "libc"}
    packages = [
        f"Package: {name}\nDepends: {depends.format(version)}\n{fields.format(version, name, '0' * 64)}"
        for name, depends in needs.items()
        for version in ("6.8+2", "6.8+1")
    ]
    apt = scratch(monkeypatch, tmp_path, packages)
    assert apt.exactly("modules-generic", "6.8+1") == ["modules-generic=6.8+1", "modules-1=6.8+1", "objects-1=6.8+1"]
    assert not apt.agrees(["modules-generic"])
