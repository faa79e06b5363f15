"""Filter that reads what a person says to playbooks/workspace.yml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleFilterError
from ansible_collections.gpu.fleet.plugins.module_utils.workspaces.said import entries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def said_workspaces(
    said: Mapping[str, Any],
    added: Sequence[Mapping[str, Any]],
    in_inventory: Sequence[str],
    keys: Sequence[str],
    uid: int | None = None,
) -> list[dict[str, Any]]:
    """Return what is to be written down of a node, or fail with every word that cannot be meant."""
    try:
        return entries(said, added, in_inventory, keys, uid)
    except ValueError as problems:
        raise AnsibleFilterError(str(problems)) from problems


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it by name."""
        return {"said_workspaces": said_workspaces}
