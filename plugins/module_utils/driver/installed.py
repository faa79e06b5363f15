"""What is installed of the driver, from dpkg's list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.driver.rule import Rule
from ansible_collections.gpu.fleet.plugins.module_utils.driver.version import branch_within, matches, upstream


@dataclass(frozen=True)
class Installed:
    """One package in dpkg's list."""

    version: str
    held: bool


DPKG_LIST = ("dpkg-query", "-W", "-f", "${Package} ${Version} ${Architecture} ${db:Status-Abbrev}\n")


def parse_dpkg(text: str, architecture: str) -> dict[str, Installed]:
    """Read the lines "PACKAGE VERSION ARCHITECTURE STATUS" of dpkg-query: the packages that are wholly installed.

    Those of another architecture, such as 32-bit libraries, have the same names.
    """
    installed = {}
    for line in text.splitlines():
        name, version, of, status = [*line.split(), "", "", ""][:4]
        if status[1:2] == "i" and of in {architecture, "all"}:
            installed[name] = Installed(version, held=status[0] == "h")
    return installed


def interrupted(text: str) -> bool:
    """Tell from the same lines whether a package is half installed, so that dpkg was stopped in between."""
    return any(line.split()[-1][1:2] in {"U", "F", "H", "W", "t"} for line in text.splitlines() if line.strip())


def unfinished(root: Path) -> bool:
    """Tell whether dpkg's journal has entries that it has not gone through with, whatever its list says: apt installs nothing then."""
    return any(entry.name.isdigit() for entry in (root / "var/lib/dpkg/updates").glob("*"))


def kept_version(installed: dict[str, Installed], packages: Iterable[str], wanted: str) -> str:
    """Return the wanted driver version that those of the packages which are installed agree on, or nothing."""
    versions = {upstream(installed[package].version) for package in packages if package in installed}
    return next((version for version in versions if len(versions) == 1 and matches(wanted, version)), "")


def complete_and_held(installed: dict[str, Installed], packages: list[str]) -> bool:
    """Tell whether all packages are there and none will be upgraded behind our back."""
    return all(package in installed and installed[package].held for package in packages)


def installed_branch(installed: dict[str, Installed], rules: Iterable[Rule]) -> str:
    """Return the one branch of those of the driver's libraries that are installed, or nothing."""
    libraries = [rule for rule in rules if rule.part == "libraries"]
    branches = {branch_within(package.version) for name, package in installed.items() if any(rule.names_it(name) for rule in libraries)}
    return next((str(branch) for branch in branches if len(branches) == 1), "")
