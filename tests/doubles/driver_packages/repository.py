"""A package repository on disk, laid out as the vendor lays out his: an archive with suites, or flat folders."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

from doubles.driver_packages.deb import Package, index_entry
from doubles.driver_packages.recipe import Recipe
from doubles.driver_packages.signing import Key

# What NVIDIA's folders call the architectures, and what it calls its key.
NVIDIA_FOLDERS = {"amd64": "x86_64", "arm64": "sbsa"}
NVIDIA_KEY = "3bf863cc.pub"


def write(recipe: Recipe, architecture: str, key: Key, out: Path) -> int:
    """Write the repository under a directory, and return how many packages it has."""
    if recipe.layout == "archive":
        for suite, packages in recipe.packages.items():
            _write_suite(recipe, suite, packages, architecture, key, out)
        (out / "key.asc").write_bytes(key.public())
    else:
        for folder, packages in recipe.packages.items():
            _write_flat(recipe, packages, architecture, key, out / "repos" / folder / NVIDIA_FOLDERS[architecture])
    (out / "fingerprint.txt").write_text(f"{key.fingerprint}\n", encoding="ascii")
    return sum(len(packages) for packages in recipe.packages.values())


def _write_suite(recipe: Recipe, suite: str, packages: tuple[Package, ...], architecture: str, key: Key, out: Path) -> None:
    """Write dists/SUITE with an index for each component, and the packages into the pool."""
    indices: dict[str, list[str]] = {component: [] for component in recipe.components}
    for package in packages:
        path = f"pool/{package.component}/{package.name[0]}/{package.name}/{package.file_name}"
        indices[package.component].append(_put(package, out, path))
    release = {
        "Origin": recipe.origin,
        "Label": recipe.label,
        "Suite": suite,
        "Codename": suite.split("-", maxsplit=1)[0],
        "Architectures": architecture,
        "Components": " ".join(recipe.components),
    }
    files = {f"{component}/binary-{architecture}/Packages": "\n".join(index) for component, index in indices.items()}
    _write_release(release, files, key, out / "dists" / suite)


def _write_flat(recipe: Recipe, packages: tuple[Package, ...], architecture: str, key: Key, folder: Path) -> None:
    """Write packages, index and key into one folder."""
    index = [_put(package, folder, f"./{package.file_name}") for package in packages]
    release = {"Origin": recipe.origin, "Label": recipe.label, "Architecture": NVIDIA_FOLDERS[architecture]}
    _write_release(release, {"Packages": "\n".join(index)}, key, folder)
    (folder / NVIDIA_KEY).write_bytes(key.public())


def _put(package: Package, root: Path, path: str) -> str:
    content = package.content()
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return index_entry(package, content, path)


def _write_release(fields: Mapping[str, str], files: Mapping[str, str], key: Key, folder: Path) -> None:
    """Write the indices, plain and compressed, and the signed file that vouches for them."""
    contents = {path: text.encode() for path, text in files.items()}
    contents |= {f"{path}.gz": gzip.compress(data, mtime=0) for path, data in contents.items()}
    sums = []
    for path, data in contents.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        sums.append(f" {hashlib.sha256(data).hexdigest()} {len(data)} {path}")
    date = datetime.now(tz=timezone.utc).strftime("%a, %d %b %Y %H:%M:%S +0000")
    lines = [*(f"{name}: {value}" for name, value in fields.items()), f"Date: {date}", "SHA256:", *sums]
    release = "\n".join(lines) + "\n"
    (folder / "Release").write_text(release, encoding="utf-8")
    (folder / "InRelease").write_bytes(key.sign(release))
