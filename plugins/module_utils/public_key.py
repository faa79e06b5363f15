"""Tell a public SSH key from what is none, before it is given to a node."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TYPE = re.compile(r"(sk-)?(ssh|ecdsa)-[a-z0-9@.-]+")
# What may stand before a key in an authorized_keys file: from="10.0.0.0/8",no-pty
_OPTION = re.compile(r'[a-zA-Z-]+(="(\\"|[^"])*")?')
_OPTIONS = re.compile(rf"{_OPTION.pattern}(,{_OPTION.pattern})*\s+")
# DSA, that OpenSSH 10 knows no more.
_FORGOTTEN = ("ssh-dss",)


def is_public_key(line: Any) -> bool:
    """Hold a key's type against the one inside it. What is no public key, or has options before it, fails."""
    words = str(line).split()
    if len(words) < 2 or "\n" in str(line).strip() or not _TYPE.fullmatch(words[0]) or words[0] in _FORGOTTEN:  # noqa: PLR2004
        return False
    try:
        blob = base64.b64decode(words[1], validate=True)
    except binascii.Error:
        return False
    return blob[4 : 4 + int.from_bytes(blob[:4], "big")] == words[0].encode()


def is_authorized_key(line: Any) -> bool:
    """Tell whether it is a line of an authorized_keys file: a public key, with options before it or without."""
    text = str(line).strip()
    if is_public_key(text):
        return True
    options = _OPTIONS.match(text)
    return options is not None and is_public_key(text[options.end() :])


def mistakes(keys: Sequence[Any], *, options: bool = False) -> Iterator[str]:
    """Say which keys are none. No more of one than its beginning: it may be a private one."""
    for key in keys:
        if not (is_authorized_key(key) if options else is_public_key(key)):
            yield f"found the key {str(key)[:20]!r}..., expected a public key such as 'ssh-ed25519 AAAA... name'"


def checked(keys: Sequence[Any], *, options: bool = False) -> list[str]:
    """Return the keys, each a line. Raises ValueError with every one that is none."""
    problems = list(mistakes(keys, options=options))
    if problems:
        raise ValueError(f"{'; '.join(problems)}. Next: correct the key in the inventory. Nothing was changed")
    return [str(key).strip() for key in keys]
