"""NVIDIA's repository of packages: where it is for a system, the key that signs it, and the files that a node has of it."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from http.client import HTTPException
from typing import Protocol

from ansible_collections.gpu.fleet.plugins.module_utils.driver.openpgp import armoured, fingerprints
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal, without_credentials

# NVIDIA's key until April 2022. Nothing is signed with it any more, so that nobody should trust it.
ROTATED_KEY = "AE09FE4BBD223A84B2CCFCE3F60F4B3D7FA2AF80"
_NVIDIAS = re.compile(r"/compute/cuda/repos/[a-z0-9]+/[a-z0-9_]+$")


class Fetch(Protocol):
    """Gets what is at an address; raises OSError, or HTTPException where the answer is cut off, or ValueError for no address."""

    def __call__(self, url: str) -> bytes:
        """Get it."""


@dataclass(frozen=True)
class Repository:
    """The repository for one system and architecture."""

    url: str
    key_url: str
    fingerprint: str  # of the key that signs it; no other is accepted

    def key(self, fetch: Fetch) -> str:
        """Fetch the key as text, and refuse another one, also beside it: the package manager would trust each that it is given."""
        if not self.fingerprint:
            raise Refusal(
                f"no fingerprint of the key that signs {self.url}, since none is known for it",
                "one, since no other key is accepted",
                f"compare `gpg --show-keys` of {self.key_url} with what NVIDIA publishes, and set nvidia_driver_repository_key_fingerprint",
            )
        try:
            content = fetch(self.key_url)
        except (OSError, HTTPException, ValueError) as error:
            raise Refusal(
                f"that {self.key_url} cannot be fetched ({error or type(error).__name__})",
                "the key that signs NVIDIA's repository",
                "see whether the node reaches it, or set nvidia_driver_repository_url or nvidia_driver_repository_key_url to a mirror",
            ) from error
        found = fingerprints(content)
        if self.fingerprint in found and found != [self.fingerprint]:
            raise Refusal(
                f"the keys {' and '.join(found)} in one file at {self.key_url}",
                f"the key {self.fingerprint} alone",
                "set nvidia_driver_repository_key_url to a file with no other: `gpg --armor --export` writes one",
            )
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

    def refuse(self, found: list[str]) -> None:
        """Refuse files of the node that are in the way where they are not to be removed."""
        raise Refusal(
            f"{', '.join(found)} on the node, from an earlier setup of {self.url} or with NVIDIA's former key",
            "one source for that repository, with the key that signs it now",
            "set nvidia_driver_leftovers to remove, which renames each to *.disabled, or see to them by hand",
        )


def same_place(uri: str, url: str) -> bool:
    """Tell whether two addresses are one repository: the same place, or the same folder of NVIDIA's tree on whatever mirror."""
    ours, theirs = (re.sub(r"^[a-z+]+://", "", without_credentials(address).rstrip("/")) for address in (url, uri))
    tails = [_NVIDIAS.search(address) for address in (ours, theirs)]
    return ours == theirs or (None not in tails and tails[0][0] == tails[1][0])  # type: ignore[index]
