"""The files that a node's apt has of NVIDIA's repository, and those of others that would be in the way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.driver.apt_sources import entries
from ansible_collections.gpu.fleet.plugins.module_utils.driver.openpgp import fingerprints
from ansible_collections.gpu.fleet.plugins.module_utils.driver.repository import ROTATED_KEY, Repository, same_place

ETC = Path("/etc/apt")
SOURCES = ETC / "sources.list.d" / "gpu-fleet-nvidia-driver.sources"


def key_path(repository: Repository) -> Path:
    """Return where the key is. Its fingerprint is in its name: another key is another file."""
    return ETC / "keyrings" / f"gpu-fleet-nvidia-driver-{repository.fingerprint[-16:]}.asc"


def stanza(repository: Repository, key: Path) -> str:
    """Return the repository as apt's source, from which only what this very key has signed is accepted."""
    return (
        f"# Written by gpu.fleet.nvidia_driver.\nTypes: deb\nURIs: {repository.url}\nSuites: /\nSigned-By: {key} {repository.fingerprint}\n"
    )


def in_the_way(files: Mapping[str, str], repository: Repository | None, etc: Path = ETC) -> list[str]:
    """List the files that name the same repository, with which apt stops for conflicting keys, and keyrings with NVIDIA's former key.

    `files` are the sources: path -> text. Our own is among the answer where the repository is not used any more.
    """
    if repository is None:
        return [str(SOURCES)] if str(SOURCES) in files else []
    found = [
        path
        for path, text in files.items()
        if path != str(SOURCES) and any(same_place(uri, repository.url) for entry in entries(path, text) for uri in entry.uris)
    ]
    keyrings = [etc / "trusted.gpg", *sorted((etc / "trusted.gpg.d").glob("*"))]
    return sorted(found) + [str(path) for path in keyrings if path.is_file() and ROTATED_KEY in fingerprints(path.read_bytes())]
