"""Filter that tells whether settings of sshd would shut out a user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.gpu.fleet.plugins.module_utils.ssh_login import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def login_refusal(connects: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """Return why, empty if they would not."""
    return refusal(connects["user"], connects["groups"], settings)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it by name."""
        return {"login_refusal": login_refusal}
