"""Filter that says why a certificate of the controller cannot be served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.gpu.fleet.plugins.module_utils import certificate

if TYPE_CHECKING:
    from collections.abc import Callable


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it by name."""
        return {"certificate_problems": certificate.problems}
