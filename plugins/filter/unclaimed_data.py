"""Filter that says which data may go with the workspaces that leave a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.gpu.fleet.plugins.module_utils.workspaces import claims as all_claims

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def unclaimed_data(claims: Mapping[str, Mapping[str, Any]], leaving: Sequence[str], workspaces: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the paths of the data of those that leave, which nobody else has."""
    return all_claims.unclaimed_data(claims, leaving, workspaces)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it by name."""
        return {"unclaimed_data": unclaimed_data}
