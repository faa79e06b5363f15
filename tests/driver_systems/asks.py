"""What the role would ask a package manager for, for every driver that the doubles of the repositories have.

    cd tests && python -m driver_systems.asks Ubuntu-24 archive --kernel "$(uname -r)"

The answers are choose()'s; the versions are those of the doubles' data, which was written without a look at the role's. Each ask says
whether apt has to agree: modules that lag behind a driver, or are ahead of it, are traps that the archives have themselves.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.gpu.fleet.plugins.module_utils.driver.packages import FABRICS, Choice, Module, choose
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.system import System
from doubles.driver_packages import recipe

ROOT = Path(__file__).parents[2]
ARCHIVE_PLACES = {"Ubuntu-22": "jammy", "Ubuntu-24": "noble"}
# User space that the archive has, and whose kernel modules are those of an older or newer one.
WITHOUT_MODULES = {("Ubuntu-22", "580.126.09"), ("Ubuntu-24", "580.126.20")}


def system(name: str) -> System:
    """Read a system's data as the role does."""
    folder = ROOT / "roles" / "nvidia_driver" / "vars"
    distribution, release = (
        yaml.safe_load((folder / f"{part}.yml").read_text(encoding="utf-8")) for part in (name.split("-", maxsplit=1)[0], name)
    )
    return System.parse(name, {"sources": distribution["__nvidia_driver_sources"], **release["__nvidia_driver_release"]})


def drivers(name: str, source: str, now: recipe.Moment) -> list[str]:
    """Return the drivers of the branches 570 to 590 that the doubles have for a system."""
    data = yaml.safe_load((recipe.HERE / ("ubuntu_archive.yml" if source == "archive" else "nvidia_apt.yml")).read_text(encoding="utf-8"))
    place = ARCHIVE_PLACES[name] if source == "archive" else system(name).source(source).repository
    suites = [entries for suite, entries in data["publish"].items() if suite.split("-", maxsplit=1)[0] == place]
    there = {str(entry["driver"]) for entry in itertools.chain(*suites) if "driver" in entry and now.has(entry)}
    return sorted(driver for driver in there if driver < "595")


def asks(name: str, source: str, kernel: str) -> Iterator[dict[str, Any]]:
    """Return each list of packages, or the refusal."""
    known = system(name)
    kind = recipe.Kernel(kernel).values()["kind"]
    for driver, flavour, fabric in itertools.product(drivers(name, source, recipe.Moment()), ("", "open", "proprietary"), FABRICS):
        what = f"{driver} from {source}, kernel module: {flavour or 'none'}, fabric: {fabric}"
        try:
            answer = choose(known, Choice(source, "x86_64", driver, Module(flavour, (kernel,), kind) if flavour else None, fabric))
        except Refusal as refusal:
            yield {"what": what, "refused": str(refusal)}
            continue
        yield {
            "what": what,
            "driver": driver,
            "first": list(answer.first),
            # On the node that is Debian itself, Debian's archive is the real one, which has no headers for this machine's kernel.
            "packages": [
                *(f"{package}={driver}-*" for package in answer.same),
                *answer.own,
                *(() if name.startswith("Debian") else answer.headers),
            ],
            "agrees": not (source == "archive" and flavour and (name, driver) in WITHOUT_MODULES),
        }


def main() -> None:
    """Print them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("system", choices=["Debian-12", "Ubuntu-22", "Ubuntu-24"])
    parser.add_argument("source", choices=["archive", "nvidia"])
    parser.add_argument("--kernel", required=True)
    given = parser.parse_args()
    print(json.dumps(list(asks(given.system, given.source, given.kernel))))  # noqa: T201


if __name__ == "__main__":
    main()
