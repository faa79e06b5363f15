"""Filter that refuses what is no public SSH key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleFilterError
from ansible_collections.gpu.fleet.plugins.module_utils.public_key import checked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def public_keys(keys: Sequence[str]) -> list[str]:
    """Return the keys, or fail with every one that is none."""
    try:
        return checked(keys)
    except ValueError as mistakes:
        raise AnsibleFilterError(str(mistakes)) from mistakes


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it by name."""
        return {"public_keys": public_keys}
