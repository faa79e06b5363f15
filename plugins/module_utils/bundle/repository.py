"""A folder of Debian packages as a flat repository: the index of what lies in it, and a release file that vouches for the index."""

from __future__ import annotations

import gzip
import hashlib
import re
import time
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.driver.local import output

ORIGIN = "GPU fleet bundle"


def index(folder: Path, architecture: str) -> tuple[str, ...]:
    """Write Packages, Packages.gz and Release, and return name=version of each package."""
    names, stanzas = [], []
    for package in sorted(folder.glob("*.deb")):
        fields = output("dpkg-deb", "--field", str(package)).strip()
        name, version = (_field(fields, key) for key in ("Package", "Version"))
        # apt's file names have the colon of an epoch as %3a, which it would take for a quoted one when it reads the index.
        plain = package.rename(folder / package.name.replace("%3a", "."))
        stanzas.append(f"{fields}\nFilename: ./{plain.name}\nSize: {plain.stat().st_size}\nSHA256: {_sha256(plain.read_bytes())}\n")
        names.append(f"{name}={version}")
    packages = "\n".join(stanzas).encode()
    indices = {"Packages": packages, "Packages.gz": gzip.compress(packages, mtime=0)}
    for name, data in indices.items():
        (folder / name).write_bytes(data)
    sums = "".join(f" {_sha256(data)} {len(data)} {name}\n" for name, data in indices.items())
    date = time.strftime("%a, %d %b %Y %H:%M:%S UTC", time.gmtime())
    release = f"Origin: {ORIGIN}\nLabel: {ORIGIN}\nArchitectures: {architecture} all\nDate: {date}\nSHA256:\n{sums}"
    (folder / "Release").write_text(release, encoding="utf-8")
    return tuple(sorted(names))


def _field(fields: str, key: str) -> str:
    found: list[str] = re.findall(rf"(?m)^{key}: (.*)$", fields)
    return found[0].strip()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
