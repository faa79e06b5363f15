"""Whether a bundle has what a node wants, told before anything on it is changed; and what its roles are then told instead."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.bundle.manifest import Manifest
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.repository import ORIGIN
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal

# What the roles take to mean that they choose.
_ANY = ("", "auto")
_OTHERWISE = "make a bundle with that, or correct the inventory"


def fits(wanted: str, has: str) -> bool:
    """Tell whether what is wanted (exact, a branch, a pattern, or anything) is what the bundle has."""
    return wanted in _ANY or wanted == has or has.startswith(f"{wanted}.") or fnmatchcase(has, wanted)


def problems(manifest: Manifest, system: str, wanted: Mapping[str, str]) -> list[str]:
    """Say what the bundle lacks for a node of this system, by the variables that name it in the inventory."""
    part = manifest.systems.get(system)
    if part is None:
        known = " or ".join(sorted(manifest.systems))
        return [str(Refusal(f"a node of {system}", f"{known}, which the bundle is for", f"make one with a host of {system} as well"))]
    image = manifest.image
    has = {**part.has, **(image.has if image else {})}
    unlike = [
        Refusal(f"{has[variable]} in the bundle for {variable}", f"{wanted[variable]} by the inventory", _OTHERWISE)
        for variable in sorted(has.keys() & wanted.keys())
        if not fits(wanted[variable], has[variable])
    ]
    digest = wanted.get("pytorch_image_digest", "")
    if image and digest and digest not in image.digests:
        unlike.append(Refusal(f"the image {' or '.join(image.digests)} in the bundle", f"{digest} by pytorch_image_digest", _OTHERWISE))
    return [str(problem) for problem in unlike]


def settings(manifest: Manifest, system: str, root: str, image_path: str, fingerprint: str) -> dict[str, Any]:
    """Return the roles' variables that let a node take packages and keys from its copy of the bundle, and the image from an archive."""
    part, image = manifest.systems[system], manifest.image
    told: dict[str, Any] = {variable: f"file://{root}/keys/{key}" for variable, key in part.keys.items()}
    told.update({variable: part.has[variable] for variable in part.pins}, nvidia_driver_archive_origin=ORIGIN)
    if part.has.get("nvidia_driver_source") == "nvidia":
        told.update(
            nvidia_driver_repository_url=f"file:{root}/nvidia",
            nvidia_driver_repository_key_url=f"file://{root}/bundle.asc",
            nvidia_driver_repository_key_fingerprint=fingerprint,
        )
    if image:
        # The archive has the image by its id; a digest is what a registry calls it.
        told.update(image.has, pytorch_image_archive={"path": image_path, "id": image.id}, pytorch_image_digest="")
    return told
