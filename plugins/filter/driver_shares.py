"""Filter that shares the compiling of the driver's kernel module among the nodes of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.gpu.fleet.plugins.module_utils.driver.module_cache import share

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def driver_shares(plans: Mapping[str, Mapping[str, Any]], folder: str) -> dict[str, dict[str, Any]]:
    """Return what each node does."""
    return share(plans, Path(folder).expanduser())


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it by name."""
        return {"driver_shares": driver_shares}
