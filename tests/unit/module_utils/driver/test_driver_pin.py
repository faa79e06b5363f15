"""The pin that a plan tries beforehand is one that apt understands, and has an effect."""

from __future__ import annotations

import shutil
import subprocess
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


@pytest.mark.skipif(not shutil.which("apt-cache"), reason="no apt here")
def test_apt_prefers_the_pinned_version_of_what_comes_along(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    etc, repository, root = tmp_path / "etc", tmp_path / "repository", tmp_path / "scratch"
    for folder in (etc / "sources.list.d", etc / "apt.conf.d", repository, root, tmp_path / "lists"):
        folder.mkdir(parents=True)
    versions = ("595.58.03-1", "590.48.01-1")
    (repository / "Packages").write_text(
        "\n".join(OFFERED.format(version=version, digest="0" * 64) for version in versions), encoding="utf-8"
    )
    (etc / "sources.list").write_text(f"deb [trusted=yes] file:{repository} ./\n", encoding="utf-8")
    monkeypatch.setattr(ScratchApt, "etc", etc)
    monkeypatch.setattr(scratch_apt, "whereabouts", lambda: [etc / "sources.list", etc / "sources.list.d", tmp_path / "lists"])
    apt = ScratchApt(root)
    subprocess.run(
        ["apt-get", "-q", "update"], check=True, capture_output=True, env={"APT_CONFIG": str(root / "apt.conf"), "PATH": "/usr/bin:/bin"}
    )
    assert "Candidate: 595.58.03-1" in apt.run("apt-cache", "policy", "nvidia-persistenced")
    apt.pin("590.48.01")
    assert "Candidate: 590.48.01-1" in apt.run("apt-cache", "policy", "nvidia-persistenced")
