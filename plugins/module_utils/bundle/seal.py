"""The last step of making a bundle: sign what was gathered, and pack it."""

from __future__ import annotations

import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.bundle.archive import add, describe, pack
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.manifest import Image, Manifest, SystemPart
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.signature import Keyring
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal


@dataclass(frozen=True)
class Gathered:
    """What goes into a bundle."""

    toolkit: str
    directory: Path  # its files, under the names that they have in the bundle
    systems: Mapping[str, SystemPart]
    image: Image | None


def seal(gathered: Gathered, signing_key: Path, path: Path) -> tuple[Manifest, str]:
    """Sign and pack; return the manifest, and the fingerprint by which the bundle will be trusted."""
    if not gathered.systems:
        raise Refusal("no host that answers and could gather packages", "at least one for each system of the fleet", "see why it does not")
    path.parent.mkdir(parents=True, exist_ok=True)
    with Keyring(_key(signing_key)) as keyring:
        for part in gathered.systems.values():
            _sign_repository(gathered.directory / part.repository, keyring)
        files = {str(file.relative_to(gathered.directory)): file for file in gathered.directory.rglob("*") if file.is_file()}
        manifest = Manifest(
            toolkit=gathered.toolkit,
            made=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            systems=dict(gathered.systems),
            image=gathered.image,
            files={name: describe(file) for name, file in files.items()},
        )
        pack(path, manifest, files, keyring)
        return manifest, keyring.fingerprint()


def with_versions(part: SystemPart, versions: Mapping[str, str], answering: Mapping[str, str]) -> SystemPart:
    """Complete what the bundle has by the versions that were downloaded: variable -> the package whose version it is about."""
    return replace(
        part,
        has={**part.has, **{variable: versions[package] for variable, package in answering.items()}},
        packages=tuple(sorted(f"{name}={version}" for name, version in versions.items())),
    )


def _key(path: Path) -> bytes:
    """Return the secret key, which is generated where there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with Keyring() as keyring:
            path.touch(mode=0o600)
            path.write_bytes(keyring.secret())
    return path.read_bytes()


def _sign_repository(path: Path, keyring: Keyring) -> None:
    """Add the signed release file, and the key that apt on the nodes holds it to."""
    with tarfile.open(path) as tar:
        file = tar.extractfile("./Release")
        if file is None:
            raise Refusal(f"no release file in {path.name}", "the one that was made with it", "make the bundle anew")
        release = file.read()
    with tarfile.open(path, "a") as tar:
        add(tar, "./InRelease", keyring.clear(release))
        add(tar, "./bundle.asc", keyring.public())
