"""A package repository on disk, laid out as the vendor lays out his: an archive with suites, or flat folders."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from doubles.driver_packages.deb import Package, index_entry
from doubles.driver_packages.recipe import Recipe
from doubles.driver_packages.signing import Key

# What NVIDIA's folders call the architectures, and what it calls its key.
NVIDIA_FOLDERS = {"amd64": "x86_64", "arm64": "sbsa"}
NVIDIA_KEY = "3bf863cc.pub"


@dataclass(frozen=True)
class Writer:
    """Writes one repository under a directory."""

    recipe: Recipe
    architecture: str
    key: Key
    out: Path

    def write(self) -> int:
        """Write it, and return how many packages it has."""
        for place, packages in self.recipe.packages.items():
            if self.recipe.layout == "archive":
                self._suite(place, packages)
            else:
                self._flat(self.out / "repos" / place / NVIDIA_FOLDERS[self.architecture], packages)
        (self.out / "key.asc").write_bytes(self.key.public())
        (self.out / "fingerprint.txt").write_text(f"{self.key.fingerprint}\n", encoding="ascii")
        return sum(len(packages) for packages in self.recipe.packages.values())

    def _suite(self, suite: str, packages: tuple[Package, ...]) -> None:
        """Write dists/SUITE with an index for each component, and the packages into the pool."""
        indices: dict[str, list[str]] = {component: [] for component in self.recipe.components}
        for package in packages:
            path = f"pool/{package.component}/{package.name[0]}/{package.name}/{package.file_name}"
            indices[package.component].append(_put(package, self.out, path))
        fields = {
            "Suite": suite,
            "Codename": suite.split("-", maxsplit=1)[0],
            "Architectures": self.architecture,
            "Components": " ".join(self.recipe.components),
        }
        files = {f"{component}/binary-{self.architecture}/Packages": "\n".join(index) for component, index in indices.items()}
        self._release(self.out / "dists" / suite, fields, files)

    def _flat(self, folder: Path, packages: tuple[Package, ...]) -> None:
        """Write packages, index and key into one folder."""
        index = [_put(package, folder, f"./{package.file_name}") for package in packages]
        self._release(folder, {"Architecture": NVIDIA_FOLDERS[self.architecture]}, {"Packages": "\n".join(index)})
        (folder / NVIDIA_KEY).write_bytes(self.key.public())

    def _release(self, folder: Path, fields: Mapping[str, str], files: Mapping[str, str]) -> None:
        """Write the indices, plain and compressed, and the signed file that vouches for them."""
        contents = {path: text.encode() for path, text in files.items()}
        contents |= {f"{path}.gz": gzip.compress(data, mtime=0) for path, data in contents.items()}
        sums = []
        for path, data in contents.items():
            _save(folder / path, data)
            sums.append(f" {hashlib.sha256(data).hexdigest()} {len(data)} {path}")
        date = datetime.now(tz=timezone.utc).strftime("%a, %d %b %Y %H:%M:%S +0000")
        named = {"Origin": self.recipe.origin, "Label": self.recipe.label, **fields, "Date": date}
        release = "\n".join([*(f"{name}: {value}" for name, value in named.items()), "SHA256:", *sums]) + "\n"
        _save(folder / "Release", release.encode())
        _save(folder / "InRelease", self.key.sign(release))


def _put(package: Package, root: Path, path: str) -> str:
    content = package.content()
    _save(root / path, content)
    return index_entry(package, content, path)


def _save(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
