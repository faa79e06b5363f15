"""Fingerprints of OpenPGP keys, which are all that is asked of them here: nodes need no gpg for that."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

_PUBLIC_KEY = 6  # a primary key's packet; subkeys have another
_VERSION = 4
_ARMOUR = re.compile(rb"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(?:[^\r\n]+\r?\n)*\r?\n(.*?)-----END PGP PUBLIC KEY BLOCK-----", re.DOTALL)


def fingerprints(keys: bytes) -> list[str]:
    """Return the fingerprints of the primary keys in a key file, armoured or not; none where it is no such file. RFC 4880, 12.2.

    A key of another version than 4 is said to be that: it must not go unseen beside one that is known.
    """
    try:
        return [_fingerprint(body) for kind, body in _packets(_binary(keys)) if kind == _PUBLIC_KEY]
    except (IndexError, binascii.Error):
        return []


def armoured(keys: bytes) -> bool:
    """Tell whether a key file is text."""
    return _ARMOUR.search(keys) is not None


def _binary(keys: bytes) -> bytes:
    blocks = _ARMOUR.findall(keys)
    if len(blocks) != keys.count(b"BEGIN PGP"):
        raise binascii.Error  # one that is not read here, others may read
    if not blocks:
        return keys
    # The last line, which begins with "=", is a checksum of what goes before.
    return b"".join(base64.b64decode(re.sub(rb"\n=.{4}\s*$", b"", block.replace(b"\r", b""))) for block in blocks)


def _fingerprint(body: bytes) -> str:
    if body[0] != _VERSION:
        return f"of version {body[0]}"
    return hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False).hexdigest().upper()


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield kind and body of each packet; raises IndexError where they are cut off or are none."""
    at = 0
    while at < len(data):
        head = data[at]
        if not head & 0x80:
            raise IndexError(at)
        if head & 0x40:
            kind, (size, start) = head & 0x3F, _new_length(data, at + 1)
        else:
            octets = 1 << (head & 3)
            kind, size, start = head >> 2 & 0x0F, int.from_bytes(data[at + 1 : at + 1 + octets], "big"), at + 1 + octets
        if start + size > len(data):
            raise IndexError(at)
        yield kind, data[start : start + size]
        at = start + size


def _new_length(data: bytes, at: int) -> tuple[int, int]:
    """Return a packet's length in the new format, and where its body starts. Keys do not come in parts."""
    first = data[at]
    if first < 192:  # noqa: PLR2004 - as RFC 4880, 4.2.2, has these numbers
        return first, at + 1
    if first < 224:  # noqa: PLR2004
        return (first - 192 << 8) + data[at + 1] + 192, at + 2
    return int.from_bytes(data[at + 1 : at + 5], "big"), at + 5
