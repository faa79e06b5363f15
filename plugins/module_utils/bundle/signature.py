"""Signatures by GnuPG, each in a keyring that is made for it and gone afterwards: nobody's own keys are used, trusted or changed."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal

OWNER = "GPU fleet bundle"


class Keyring:
    """A keyring with one key: a secret one signs, a public one verifies."""

    def __init__(self, key: bytes = b"") -> None:
        """Remember the key; without one, a new one is generated."""
        self._key = key

    def __enter__(self) -> Keyring:  # noqa: PYI034 - Self is of Python 3.11
        """Make the keyring."""
        self._directory = tempfile.TemporaryDirectory(prefix="gpu-fleet-gpg-")
        self.home = Path(self._directory.name)
        try:
            if self._key:
                self._gpg("--import", stdin=self._key)
            else:
                self._gpg("--passphrase", "", "--quick-generate-key", OWNER, "ed25519", "sign", "never")
        except Refusal:
            self._remove()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Take it away."""
        self._remove()

    def _remove(self) -> None:
        """Remove it, with the agent that gpg started for it."""
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], capture_output=True, check=False)  # noqa: S603, S607
        self._directory.cleanup()

    def fingerprint(self) -> str:
        """Name the key."""
        lines = self._gpg("--with-colons", "--list-keys").decode().splitlines()
        return next(line.split(":")[9] for line in lines if line.startswith("fpr:"))

    def secret(self) -> bytes:
        """Return the secret key."""
        return self._gpg("--armor", "--export-secret-keys")

    def public(self) -> bytes:
        """Return the public key."""
        return self._gpg("--armor", "--export")

    def detached(self, data: bytes) -> bytes:
        """Sign data; the signature stands apart."""
        return self._gpg("--armor", "--detach-sign", stdin=data)

    def clear(self, data: bytes) -> bytes:
        """Sign a text; the signature is around it."""
        return self._gpg("--clearsign", stdin=data)

    def signer(self, signature: bytes, data: bytes) -> str:
        """Return the fingerprint of the key that made this signature of this data."""
        at = self.home / "signature"
        at.write_bytes(signature)
        done = self._run("--status-fd", "1", "--verify", str(at), "-", stdin=data)
        if done.returncode:
            raise Refusal(f"a signature that is not good ({_words(done.stderr)})", "one of exactly this manifest", "get the bundle anew")
        lines = done.stdout.decode().splitlines()
        return next(line.split()[-1] for line in lines if line.startswith("[GNUPG:] VALIDSIG "))

    def _gpg(self, *arguments: str, stdin: bytes = b"") -> bytes:
        done = self._run(*arguments, stdin=stdin)
        if done.returncode:
            raise Refusal(f"that gpg fails: {_words(done.stderr)}", f"`gpg {arguments[0]}` to work", "see what it says")
        return done.stdout

    def _run(self, *arguments: str, stdin: bytes) -> subprocess.CompletedProcess[bytes]:
        options = ("--homedir", str(self.home), "--batch", "--quiet", "--no-auto-check-trustdb", "--trust-model", "always")
        try:
            return subprocess.run(["gpg", *options, *arguments], input=stdin, capture_output=True, check=False)  # noqa: S603, S607
        except FileNotFoundError:
            raise Refusal("no gpg on the controller", "GnuPG, which makes and verifies signatures", "install the package gnupg") from None


def _words(text: bytes) -> str:
    return " ".join(text.decode(errors="replace").split())[-500:]
