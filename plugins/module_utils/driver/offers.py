"""What the package sources offer, and which versions of the driver are complete in it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.version import matches, newest_first, upstream

# package -> its versions with the priority of each, the newest first
Offers = dict[str, list[tuple[str, int]]]

# apt's priority of an ordinary archive. Backports have less: a version that only they have is taken only when it is asked for.
ORDINARY = 500

INSTALLED = "/var/lib/dpkg/status"  # where apt finds a version that the node has, whether or not somebody offers it still


@dataclass(frozen=True)
class Complete:
    """A version of the driver that all packages of a flavour have."""

    flavour: str
    packages: Mapping[str, str]  # name -> its version


def parse_policy(text: str, places: Collection[str] = ()) -> Offers:
    """Read `apt-cache policy PACKAGE...`; with places, addresses of repositories, only what these have or what is installed."""
    offers: Offers = {}
    package, offer = "", ("", 0)
    for line in text.splitlines():
        version = re.match(r"^ (?:\*\*\*|   ) (\S+) (-?\d+)$", line)
        place = re.match(r"^ {8,} *-?\d+ (\S+)", line)
        if version:
            offer = (version[1], int(version[2]))
        elif line and not line[0].isspace():
            package = line.split(":")[0]
            offers[package] = []
        if (place and place[1].rstrip("/") in {INSTALLED, *places}) if places else version:
            offers[package] += [offer] if offer not in offers[package] else []
    return offers


def offered(offers: Offers, packages: Sequence[str], least_priority: int) -> dict[str, dict[str, str]]:
    """Turn the offers round: driver version -> package -> that package's newest version of this driver."""
    drivers: dict[str, dict[str, str]] = {}
    for package in packages:
        for version, priority in offers.get(package, []):
            if priority >= least_priority:
                drivers.setdefault(upstream(version), {}).setdefault(package, version)
    return drivers


def complete(offers: Offers, lists: Mapping[str, Sequence[str]], wanted: str) -> dict[str, Complete]:
    """Return the wanted versions that all packages of a flavour have, the newest first; of two flavours the first. None is a refusal."""
    found: dict[str, None] = {}
    whole: dict[str, Complete] = {}
    for flavour, packages in lists.items():
        drivers = offered(offers, packages, 1 if wanted else ORDINARY)
        for driver in newest_first(drivers):
            without = [package for package in packages if package not in drivers[driver]]
            found[driver + (f" (but not of {', '.join(without)})" if without else "")] = None
            if not without and matches(wanted, driver):
                whole.setdefault(driver, Complete(flavour, drivers[driver]))
    if whole:
        return {version: whole[version] for version in newest_first(whole)}
    raise Refusal(
        f"{'; '.join(found) or 'no driver packages'} in the node's package sources",
        f"all driver packages at {wanted or 'one version'}",
        "set nvidia_driver_version to a version that is complete, or add a package source that has the wanted one",
    )
