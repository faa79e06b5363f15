"""An image from a registry as an archive for `docker load`: no container engine is needed to make it."""

from __future__ import annotations

import json
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.bundle.archive import add
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.registry import Repository
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def fetch(repository: Repository, reference: str, architecture: str, name: str, archive: Path) -> dict[str, Any]:
    """Write the archive and return the image's id, and the digests by which the registry knows it."""
    digest, manifest = repository.manifest(reference)
    digests = [digest]
    if "manifests" in manifest:
        digest, manifest = repository.manifest(_for(manifest["manifests"], architecture, name))
        digests.append(digest)
    blobs = {blob["digest"]: blob["size"] for blob in (manifest["config"], *manifest["layers"])}
    file_of = {blob: f"{blob.split(':')[1]}.tar.gz" for blob in blobs}
    config = manifest["config"]["digest"]
    file_of[config] = f"{config.split(':')[1]}.json"
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix=".layers-") as directory:
        for blob, size in blobs.items():
            repository.blob(blob, size, Path(directory, file_of[blob]))
        with tarfile.open(archive, "w") as tar:
            for file in sorted(set(file_of.values())):
                tar.add(Path(directory, file), arcname=file)
            entry = {"Config": file_of[config], "RepoTags": [name], "Layers": [file_of[layer["digest"]] for layer in manifest["layers"]]}
            add(tar, "manifest.json", json.dumps([entry]).encode())
    return {"id": config, "digests": digests}


def _for(manifests: list[dict[str, Any]], architecture: str, name: str) -> str:
    wanted = {"os": "linux", "architecture": _ARCHITECTURES.get(architecture, architecture)}
    for manifest in manifests:
        if wanted.items() <= manifest.get("platform", {}).items():
            return str(manifest["digest"])
    platforms = sorted({f"{manifest.get('platform', {}).get('architecture')}" for manifest in manifests})
    raise Refusal(f"{name} for {', '.join(platforms)}", f"one for {wanted['architecture']}", "name an image that has it")
