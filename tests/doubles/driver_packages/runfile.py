"""NVIDIA's self-extracting installers, in folders as on NVIDIA's download site: a shell script with an archive behind it."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

VERSIONS = ("580.95.05", "580.126.20")
# How the flavour of the kernel module is chosen: since branch 560 by its name, before by the folder of its source.
_MODULE_OPTIONS = {True: "--kernel-module-type=open | --kernel-module-type=proprietary", False: "-m=kernel-open | -m=kernel"}


def write(version: str, architecture: str, out: Path) -> Path:
    """Write the installer of a version into a folder of that name, and return its path."""
    path = out / version / f"NVIDIA-Linux-{architecture}-{version}.run"
    path.parent.mkdir(parents=True, exist_ok=True)
    archive = _archive(
        {
            "libnvidia-ml.so": f"double of libnvidia-ml.so, driver {version}\n",
            "nvidia-smi": f'#!/bin/sh\necho "double of nvidia-smi, driver {version}"\n',
        }
    )
    script = (Path(__file__).parent / "installer.sh").read_text(encoding="utf-8")
    values = {
        "VERSION": version,
        "ARCHITECTURE": architecture,
        "MODULE_OPTIONS": _MODULE_OPTIONS[int(version.split(".", maxsplit=1)[0]) >= 560],
        "LINES": str(script.count("\n") + 1),
        "CHECKSUM": hashlib.sha256(archive).hexdigest(),
    }
    for name, value in values.items():
        script = script.replace(f"@{name}@", value)
    path.write_bytes(script.encode() + archive)
    path.chmod(0o755)
    return path


def _archive(files: dict[str, str]) -> bytes:
    """Return the files as an archive, which is the same each time."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(plain.getvalue(), mtime=0)
