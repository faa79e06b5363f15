"""Filter that completes and checks users and groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleFilterError
from ansible_collections.gpu.fleet.plugins.module_utils.users.wish import complete

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def user_accounts(
    accounts: Sequence[Mapping[str, Any]], groups: Sequence[Mapping[str, Any]], shell: str = "/bin/bash", *, linger: bool = False
) -> dict[str, list[dict[str, Any]]]:
    """Return users and groups with nothing left out, or fail with every mistake."""
    try:
        return complete(accounts, groups, shell, linger=linger)
    except ValueError as mistakes:
        raise AnsibleFilterError(str(mistakes)) from mistakes


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it by name."""
        return {"user_accounts": user_accounts}
