"""Secure Boot: under it a kernel takes only modules that somebody whom the machine trusts has signed."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal

_VARIABLES = Path("sys/firmware/efi/efivars")
_STATE = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
_OWNERS_KEYS = "MokListRT-605dab50-e046-4300-abb6-3dd810dd8b23"


@dataclass(frozen=True)
class Signing:
    """With what modules that are compiled here are signed: files on the node."""

    key: str
    certificate: str  # X.509, in PEM or DER

    def __post_init__(self) -> None:
        """Refuse one without the other."""
        if bool(self.key) != bool(self.certificate):
            raise Refusal(
                f"nvidia_driver_signing_key {self.key!r} and nvidia_driver_signing_certificate {self.certificate!r}",
                "both or neither",
                "name the certificate that was made with the key",
            )

    def missing(self, root: Path) -> list[str]:
        """List the files that are not there."""
        return [path for path in (self.key, self.certificate) if path and not (root / path.lstrip("/")).is_file()]


@dataclass(frozen=True)
class SecureBoot:
    """What the firmware says: a machine without EFI has no Secure Boot."""

    enabled: bool = False
    owners_keys: bytes = b""  # the machine owner's certificates (MOK), as the boot loader hands them to the kernel

    @classmethod
    def read(cls, root: Path) -> SecureBoot:
        """Read the EFI variables; each begins with four bytes of attributes."""
        state, keys = (_content(root / _VARIABLES / name) for name in (_STATE, _OWNERS_KEYS))
        return cls(enabled=state[4:5] == b"\x01", owners_keys=keys[4:])

    def trusts(self, number: str) -> bool:
        """Tell whether the owner's keys have the certificate of this number (hexadecimal digits)."""
        digits = bytes.fromhex(number)
        # As DER writes integers: tag, length, and a zero where the first bit would be the sign.
        written = [b"\x02" + bytes([len(value)]) + value for value in (digits, b"\0" + digits)]
        return bool(digits) and any(value in self.owners_keys for value in written)

    def refuse_unsigned(self, signing: Signing, root: Path) -> None:
        """Refuse modules that are compiled here where the kernel would not load them."""
        missing = signing.missing(root)
        if missing:
            raise Refusal(
                f"no file {' and no file '.join(missing)} on the node",
                "the key that signs modules, and its certificate",
                "bring them there, or correct nvidia_driver_signing_key and nvidia_driver_signing_certificate",
            )
        if not self.enabled:
            return
        if not signing.certificate:
            raise Refusal(
                "Secure Boot, which lets the kernel load no module that is compiled on this node and signed by nobody",
                "modules that are signed: those of Ubuntu's archive are; others are with nvidia_driver_signing_key and _certificate",
                "make a key (openssl req -new -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=drivers/ -keyout KEY -outform DER "
                "-out CERTIFICATE), enrol it (mokutil --import CERTIFICATE, reboot, Enroll MOK at the console), name both and run again",
            )
        certificate = der((root / signing.certificate.lstrip("/")).read_bytes())
        if not certificate or certificate not in self.owners_keys:
            raise Refusal(
                f"Secure Boot, and the certificate {signing.certificate} not among the keys of the machine's owner (MOK)",
                "it enrolled, since the kernel loads no module that is signed with it before",
                f"run `mokutil --import {signing.certificate}` on the node, which asks for a password; reboot; choose Enroll MOK at the "
                "console and enter it; then run again",
            )


def der(certificate: bytes) -> bytes:
    """Return a certificate in DER, whichever way it is written."""
    pem = re.search(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", certificate, re.DOTALL)
    return base64.b64decode(pem[1]) if pem else certificate


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
