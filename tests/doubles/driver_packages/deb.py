"""A Debian package, written without dpkg-deb, since hundreds are made at a time: an ar archive of two tar archives."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field

LABEL = "double"


@dataclass(frozen=True)
class Package:
    """A package that stands in for the real one of this name and version."""

    name: str
    version: str
    architecture: str
    component: str = ""
    control: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)  # path without the leading slash -> text

    @property
    def file_name(self) -> str:
        """Return the name of its file, as apt writes it: without the epoch."""
        return f"{self.name}_{self.version.split(':')[-1]}_{self.architecture}.deb"

    def stanza(self) -> str:
        """Return what its control file says."""
        fields = {
            "Package": self.name,
            "Version": self.version,
            "Architecture": self.architecture,
            "Maintainer": "GPU fleet tests <root@localhost>",
            "Priority": "optional",
            "Section": f"{self.component}/misc" if self.component not in {"", "main"} else "misc",
            **self.control,
            "Description": f"{LABEL} of {self.name}\n Stands in for the package of this name in tests.",
        }
        return "".join(f"{key}: {value}\n" for key, value in fields.items())

    def content(self) -> bytes:
        """Return the file."""
        readme = f"This is a {LABEL} of {self.name} {self.version}: it stands in for the package of this name in tests.\n"
        files = {f"usr/share/doc/{self.name}/README.{LABEL}": readme, **self.files}
        configuration = "".join(f"/{path}\n" for path in files if path.startswith("etc/"))
        members = {
            "debian-binary": b"2.0\n",
            "control.tar.gz": _tar({"control": self.stanza(), "conffiles": configuration} if configuration else {"control": self.stanza()}),
            "data.tar.gz": _tar(files),
        }
        return b"!<arch>\n" + b"".join(_member(name, data) for name, data in members.items())


def index_entry(package: Package, content: bytes, path: str) -> str:
    """Return a package's stanza of an index."""
    return f"{package.stanza()}Filename: {path}\nSize: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n"


def _member(name: str, data: bytes) -> bytes:
    head = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n"
    return head.encode() + data + b"\n" * (len(data) % 2)


def _tar(files: Mapping[str, str]) -> bytes:
    """Return a compressed tar archive in which all is root's, with the folders that dpkg wants to see."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        parents = {"/".join(path.split("/")[:depth]) for path in files for depth in range(1, path.count("/") + 1)}
        for folder in ["", *sorted(parents)]:
            entry = tarfile.TarInfo(f"./{folder}")
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for path, text in sorted(files.items()):
            entry = tarfile.TarInfo(f"./{path}")
            data = text.encode()
            entry.size, entry.mode = len(data), 0o755 if text.startswith("#!") else 0o644
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(out.getvalue(), compresslevel=1, mtime=0)
