"""The key of a repository, made by the tests and kept beside what it signs, so that nodes that trust it go on to do so."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Key:
    """A key in a key ring of its own."""

    ring: Path
    fingerprint: str

    def sign(self, text: str) -> bytes:
        """Return the text with its signature around it, as InRelease has it."""
        return _gpg(self.ring, "--clearsign", "--digest-algo", "SHA256", "--local-user", self.fingerprint, given=text.encode())

    def public(self) -> bytes:
        """Return the public key in ASCII."""
        return _gpg(self.ring, "--armor", "--export", self.fingerprint)


@contextmanager
def key(kept: Path, owner: str) -> Iterator[Key]:
    """Give the key that is kept in a file; make it where there is none."""
    ring = Path(tempfile.mkdtemp(prefix="driver-packages-gnupg-"))
    try:
        if kept.exists():
            _gpg(ring, "--import", given=kept.read_bytes())
        else:
            _gpg(
                ring,
                "--passphrase",
                "",
                "--quick-generate-key",
                f"Double of the repository of {owner} (tests only)",
                "ed25519",
                "sign",
                "never",
            )
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.touch(mode=0o600)
            kept.write_bytes(_gpg(ring, "--armor", "--export-secret-keys"))
        listing = _gpg(ring, "--no-auto-check-trustdb", "--with-colons", "--list-keys").decode()
        yield Key(ring, next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:")))
    finally:
        subprocess.run(["gpgconf", "--homedir", ring, "--kill", "gpg-agent"], check=False, capture_output=True)
        shutil.rmtree(ring, ignore_errors=True)


def _gpg(ring: Path, *arguments: str, given: bytes = b"") -> bytes:
    return subprocess.run(
        ["gpg", "--homedir", ring, "--batch", "--quiet", "--yes", *arguments], input=given, check=True, capture_output=True
    ).stdout
