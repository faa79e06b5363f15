"""Filter that hashes a password with Argon2id."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleFilterError

if TYPE_CHECKING:
    from collections.abc import Callable

# RFC 9106, the second recommended choice, for machines without much memory: 64 MiB, 3 passes.
_PASSES, _LANES, _KIB, _LENGTH = 3, 4, 65536, 32


# A role compares before it writes, so it asks for the same hash several times.
@lru_cache(maxsize=256)
def argon2_hash(secret: str, salt: str) -> str:
    """Return the hash in the PHC format, the same for the same salt (at least 8 characters)."""
    try:
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id  # noqa: PLC0415 - older ones lack it

        function = Argon2id(salt=str(salt).encode(), length=_LENGTH, iterations=_PASSES, lanes=_LANES, memory_cost=_KIB)
        return function.derive_phc_encoded(str(secret).encode())
    except (ImportError, AttributeError) as problem:
        raise AnsibleFilterError(
            f"found a Python library 'cryptography' without Argon2 on the controller ({problem}), expected version 45 or newer. "
            "Next: pip install --upgrade cryptography"
        ) from problem


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it by name."""
        return {"argon2_hash": argon2_hash}
