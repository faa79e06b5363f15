"""The index of a folder of packages is one that apt reads: held against dpkg's own tools."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.bundle.repository import ORIGIN, index
from unit.module_utils.bundle.debian_package import build


def test_every_package_is_in_the_index_with_its_place_and_checksum(tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    build(folder, "plain", "1.0-1", "libc6")
    build(folder, "epoch", "5:28.5.2-1", "libc6")
    assert index(folder, "amd64") == ("epoch=5:28.5.2-1", "plain=1.0-1")
    packages = (folder / "Packages").read_text()
    stanzas = packages.strip().split("\n\n")
    assert [re.findall(r"(?m)^Package: (.*)$", stanza) for stanza in stanzas] == [["epoch"], ["plain"]]
    for stanza in stanzas:
        file = folder / re.findall(r"(?m)^Filename: (.*)$", stanza)[0]
        assert "%" not in file.name
        assert f"SHA256: {hashlib.sha256(file.read_bytes()).hexdigest()}" in stanza
        assert f"Size: {file.stat().st_size}" in stanza
        assert "Depends: libc6" in stanza
    release = (folder / "Release").read_text()
    assert release.startswith(f"Origin: {ORIGIN}\n")
    for name in ("Packages", "Packages.gz"):
        data = (folder / name).read_bytes()
        assert f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}\n" in release
    assert gzip.decompress((folder / "Packages.gz").read_bytes()).decode() == packages
