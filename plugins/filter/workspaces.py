"""Filter that completes and checks the list of workspaces of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleFilterError
from ansible_collections.gpu.fleet.plugins.module_utils.workspaces.claims import complete

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def workspaces(entries: Sequence[Mapping[str, Any]], places: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the workspaces with nothing left out that the inventory alone decides, or fail with every mistake."""
    try:
        return complete(entries, places)
    except ValueError as mistakes:
        raise AnsibleFilterError(str(mistakes)) from mistakes


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it by name."""
        return {"workspaces": workspaces}
