"""Filter that says which names an ACME authority gives no certificate for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.gpu.fleet.plugins.module_utils import certificate

if TYPE_CHECKING:
    from collections.abc import Callable


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it by name."""
        return {"acme_problems": certificate.addresses_problems}
