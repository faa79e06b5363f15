"""A driver of one version only: what an installation would bring along of another is refused before it happens."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.version import upstream

_DRIVER = re.compile(r"\d{3}\.\d{2,3}(\.\d{2})?")


def refuse_mixture(changes: Sequence[str], named: Collection[str], version: str) -> None:
    """Refuse packages that nobody named and that are of another driver, among the lines "Inst NAME [OLD] (NEW ..." of apt.

    So do packages that took over the old name and version when a branch ended, and install its successor.
    """
    brought = re.findall(r"^Inst (\S+) (?:\[\S+\] )?\((\S+)", "\n".join(changes), re.MULTILINE)
    others = [
        (name, upstream(exact))
        for name, exact in brought
        if name not in named and _DRIVER.fullmatch(upstream(exact)) and upstream(exact) != version
    ]
    if others:
        raise Refusal(
            f"that packages of driver {version} bring {', '.join(f'{name} {other}' for name, other in others)} along",
            "all of one version",
            f"set nvidia_driver_version to {others[0][1]}, if the branch ended and that is its successor, or to another that is whole",
        )
