"""What the package sources offer, and the one version of the driver to take of it."""

from __future__ import annotations

import contextlib
import re

from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.version import matches, newest_first, upstream

# package -> its versions with apt's priority for each, the newest first
Offers = dict[str, list[tuple[str, int]]]

# apt's priority of an ordinary archive. Backports have less: a version that only they have is taken only when it is asked for.
ORDINARY = 500


def parse_policy(text: str) -> Offers:
    """Read `apt-cache policy PACKAGE...`."""
    offers: Offers = {}
    package = ""
    for line in text.splitlines():
        version = re.match(r"^ (?:\*\*\*|   ) (\S+) (-?\d+)$", line)
        if version:
            offers[package].append((version[1], int(version[2])))
        elif line and not line[0].isspace():
            package = line.split(":")[0]
            offers[package] = []
    return offers


def offered(offers: Offers, packages: list[str], least_priority: int) -> dict[str, dict[str, str]]:
    """Turn the offers round: driver version -> package -> that package's newest version of this driver."""
    drivers: dict[str, dict[str, str]] = {}
    for package in packages:
        for version, priority in offers.get(package, []):
            if priority >= least_priority:
                drivers.setdefault(upstream(version), {}).setdefault(package, version)
    return drivers


def resolve(offers: Offers, lists: dict[str, list[str]], wanted: str) -> tuple[str, dict[str, str]]:
    """Choose flavour and versions: the newest wanted driver that all packages of a flavour have; at the same version the first flavour."""
    found: dict[str, None] = {}
    complete: dict[str, tuple[str, dict[str, str]]] = {}
    for flavour, packages in lists.items():
        drivers = offered(offers, packages, 1 if wanted else ORDINARY)
        for driver in newest_first(drivers):
            without = [package for package in packages if package not in drivers[driver]]
            found[driver + (f" (but not of {', '.join(without)})" if without else "")] = None
            if not without and matches(wanted, driver):
                complete.setdefault(driver, (flavour, drivers[driver]))
    if complete:
        return complete[newest_first(complete)[0]]
    raise Refusal(
        f"{'; '.join(found) or 'no driver packages'} in the node's package sources",
        f"all driver packages at {wanted or 'one version'}",
        "set nvidia_driver_version to a version that is complete, or add a package source that has the wanted one",
    )


def keep_or_resolve(offers: Offers, lists: dict[str, list[str]], wanted: str, kept: str) -> tuple[str, dict[str, str]]:
    """Complete the driver that a node has, so that a repair is no upgrade; choose one where there is none or it cannot be completed."""
    if kept:
        with contextlib.suppress(Refusal):
            return resolve(offers, lists, kept)
    return resolve(offers, lists, wanted)
