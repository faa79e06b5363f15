"""Filter that says why the driver's module is not in the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.gpu.fleet.plugins.module_utils.driver.not_loaded import explain

if TYPE_CHECKING:
    from collections.abc import Callable


def driver_not_loaded(version: str, loaded: str, modprobe: str, kernel_log: str) -> str:
    """Return what was found, what was expected, and the next step."""
    return str(explain(version, loaded, modprobe, kernel_log))


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it by name."""
        return {"driver_not_loaded": driver_not_loaded}
