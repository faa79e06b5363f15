"""Versions of the driver: an exact one such as 580.95.05, or its branch, 580."""

from __future__ import annotations

import re

from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal

_VERSION = re.compile(r"(\d{3})(?:\.\d{2,3}(?:\.\d{2})?)?")


def branch_of(version: str) -> int:
    """Return the branch of a version, which may be the branch alone."""
    match = _VERSION.fullmatch(version)
    if not match:
        raise Refusal(
            f"{version!r} as the driver's version" if version else "no version of the driver",
            "a branch such as 580, or an exact version such as 580.95.05",
            "set nvidia_driver_version",
        )
    return int(match[1])
