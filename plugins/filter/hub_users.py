"""Filter that completes and checks the users of a node's hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleFilterError
from ansible_collections.gpu.fleet.plugins.module_utils.workspaces import hub

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def hub_users(
    entries: Sequence[Mapping[str, Any]], node: Mapping[str, Any], subnet: str, gpu_limit: int | None = None
) -> list[dict[str, Any]]:
    """Return the users with what the node decides, or fail with every mistake."""
    try:
        return hub.users(entries, node, subnet, gpu_limit)
    except ValueError as mistakes:
        raise AnsibleFilterError(str(mistakes)) from mistakes


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it by name."""
        return {"hub_users": hub_users}
