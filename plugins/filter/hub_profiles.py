"""Filter that checks the GPU profiles of a hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleFilterError
from ansible_collections.gpu.fleet.plugins.module_utils.workspaces import hub

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def hub_profiles(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the profiles, or fail with every mistake."""
    try:
        return hub.profiles(entries)
    except ValueError as mistakes:
        raise AnsibleFilterError(str(mistakes)) from mistakes


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it by name."""
        return {"hub_profiles": hub_profiles}
