"""Versions of the driver: an exact one such as 580.95.05, or its branch, 580."""

from __future__ import annotations

import re
from collections.abc import Iterable

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


def upstream(version: str) -> str:
    """Return the driver's version within a package's: 535.309.01 of 535.309.01-0+deb12u1."""
    return re.sub(r"^\d+:", "", version).split("-")[0]


def branch_within(version: str) -> int:
    """Return the driver's branch within a package's version."""
    return int(upstream(version).split(".", maxsplit=1)[0])


def is_exact(version: str) -> bool:
    """Tell whether it names one version, and not a branch or nothing."""
    return "." in version


def is_drivers(version: str) -> bool:
    """Tell whether a version can be a driver's, and exact."""
    return is_exact(version) and _VERSION.fullmatch(version) is not None


def matches(wanted: str, version: str) -> bool:
    """Tell whether a driver version is the wanted one: exact, of a branch ("535"), or any ("")."""
    return not wanted or version == wanted or version.startswith(wanted + ".")


def newest_first(versions: Iterable[str]) -> list[str]:
    """Sort driver versions."""
    return sorted(versions, key=lambda version: [int(part) for part in re.findall(r"\d+", version)], reverse=True)
