"""NVIDIA's repository of packages: where it is for a system, the key that signs it, and the files that a node has of it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Protocol

from ansible_collections.gpu.fleet.plugins.module_utils.driver.openpgp import armoured, fingerprints
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal

# NVIDIA's key until April 2022. Nothing is signed with it any more, so that nobody should trust it.
ROTATED_KEY = "AE09FE4BBD223A84B2CCFCE3F60F4B3D7FA2AF80"


class Fetch(Protocol):
    """Gets what is at an address; raises OSError."""

    def __call__(self, url: str) -> bytes:
        """Get it."""


@dataclass(frozen=True)
class Repository:
    """The repository for one system and architecture."""

    url: str
    key_url: str
    fingerprint: str  # of the key that signs it; no other is accepted

    def key(self, fetch: Fetch) -> str:
        """Fetch the key as text, and refuse another one."""
        try:
            content = fetch(self.key_url)
        except OSError as error:
            raise Refusal(
                f"that {self.key_url} cannot be fetched ({error})",
                "the key that signs NVIDIA's repository",
                "see whether the node reaches it, or set nvidia_driver_repository_url or nvidia_driver_repository_key_url to a mirror",
            ) from error
        found = fingerprints(content)
        if self.fingerprint not in found:
            raise Refusal(
                f"{f'the key {found[0]}' if found else 'no key'} at {self.key_url}",
                f"the key {self.fingerprint}",
                "if NVIDIA says that it has another key now, set nvidia_driver_repository_key_fingerprint; if not, trust it not",
            )
        if armoured(content):
            return content.decode("ascii", errors="replace")
        text = base64.b64encode(content).decode("ascii")
        lines = [text[at : at + 64] for at in range(0, len(text), 64)]
        return "\n".join(["-----BEGIN PGP PUBLIC KEY BLOCK-----", "", *lines, "-----END PGP PUBLIC KEY BLOCK-----", ""])
