"""Filter that says what there is to do about users on a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.gpu.fleet.plugins.module_utils.users.plan import plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def user_changes(
    wish: Mapping[str, Any], seen: Mapping[str, Any], *, exclusive_keys: bool = True, remove_data: bool = False, foresee: bool = False
) -> dict[str, Any]:
    """Return what differs between what is wished and what was seen."""
    return plan(wish, seen, exclusive_keys=exclusive_keys, remove_data=remove_data, foresee=foresee)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it by name."""
        return {"user_changes": user_changes}
