"""Build the doubles of the repositories that the driver comes from, signed, each under its name in a directory; and NVIDIA's installers.

    cd tests && python -m doubles.driver_packages.build OUT --kernel "$(uname -r)" [--state later] [--without 580.126.20]

OUT keeps its keys beside it (OUT.NAME.key), and the directories themselves stay, since they may be served or mounted.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

from doubles.driver_packages import recipe, repository, runfile, signing

NAMES = ("ubuntu_archive", "nvidia_apt")
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}  # as NVIDIA's installers have the architectures in their names


def build(name: str, out: Path, kernel: recipe.Kernel, architecture: str, moment: recipe.Moment) -> int:
    """Build one repository in place of what is there, and return how many packages it has."""
    data = recipe.read(name, kernel, architecture, moment)
    there = out / name
    there.mkdir(parents=True, exist_ok=True)
    for old in there.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    with signing.key(out.with_name(f"{out.name}.{name}.key"), data.origin) as key:
        return repository.Writer(data, architecture, key, there).write()


def main() -> None:
    """Build all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--kernel", required=True, help="as `uname -r` has it: the packages of modules and headers are for this one")
    parser.add_argument("--architecture", default="amd64", choices=sorted(repository.NVIDIA_FOLDERS))
    parser.add_argument("--state", default="now", choices=recipe.STATES, help="what the archives have now, or some months later")
    parser.add_argument("--without", nargs="*", default=[], metavar="DRIVER", help="versions of the driver that vanished")
    given = parser.parse_args()
    start = time.monotonic()
    moment = recipe.Moment(given.state, frozenset(given.without))
    for name in NAMES:
        count = build(name, given.out, recipe.Kernel(given.kernel), given.architecture, moment)
        print(f"{name}: {count} packages")  # noqa: T201
    for version in runfile.VERSIONS:
        runfile.write(version, MACHINES[given.architecture], given.out / "tesla")
    print(f"built {given.out}, {given.state}, in {time.monotonic() - start:.1f} s")  # noqa: T201


if __name__ == "__main__":
    main()
