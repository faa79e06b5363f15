"""Filter that finds the data of the driver's packages for a system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleFilterError
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.system import system_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def driver_system(distribution: str, release: str, known: Sequence[str]) -> str:
    """Return the name of a system's data, or fail with those that are known."""
    try:
        return system_name(distribution, release, known)
    except Refusal as refusal:
        raise AnsibleFilterError(str(refusal)) from refusal


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it by name."""
        return {"driver_system": driver_system}
