"""Packages that are not the driver's: it must not cost a node one of them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal


def refuse_strangers(removed: Iterable[str]) -> None:
    """Refuse an installation that takes away what is not the driver's."""
    strangers = [name for name in removed if not re.search("nvidia|cuda|nvcuvid", name)]
    if strangers:
        raise Refusal(
            f"that the driver's packages would remove {', '.join(strangers)}",
            "them to replace only driver packages",
            "remove these by hand if that is right, and run again",
        )
