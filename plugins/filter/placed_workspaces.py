"""Filter that gives the workspaces of a node their GPUs, ports and users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleFilterError
from ansible_collections.gpu.fleet.plugins.module_utils.workspaces.placement import place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def placed_workspaces(
    workspaces: Sequence[Mapping[str, Any]], node: Mapping[str, Any], smallest_free_gb: float = 0
) -> list[dict[str, Any]]:
    """Return the workspaces with what the node decides, or fail with everything that does not fit."""
    try:
        return place(workspaces, node, round(float(smallest_free_gb) * 1e9))
    except ValueError as problems:
        raise AnsibleFilterError(str(problems)) from problems


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it by name."""
        return {"placed_workspaces": placed_workspaces}
