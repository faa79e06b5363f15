"""What a repository has: the data beside this file, filled in for one kernel, one architecture and one moment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from doubles.driver_packages.deb import Package

HERE = Path(__file__).parent
STATES = ("now", "later")


@dataclass(frozen=True)
class Kernel:
    """The kernel that the nodes run, and the one that comes after it."""

    name: str  # as `uname -r` has it

    def values(self) -> dict[str, str]:
        """Return what the data's braces may ask of it."""
        parts = re.fullmatch(r"(.*?)(\d+)-([a-z].*)", self.name)
        if not parts:
            raise ValueError(f"found the kernel {self.name!r}, expected a name such as 6.8.0-60-generic")
        before, number, kind = parts[1], int(parts[2]), parts[3]
        following = f"{before}{number + 1}"
        return {
            "kernel": self.name,
            "kernel_version": f"{before}{number}.{number}",
            "next_kernel": f"{following}-{kind}",
            "next_kernel_version": f"{following}.{number + 1}",
            "kind": kind,
        }


@dataclass(frozen=True)
class Moment:
    """Which packages are there: `now` or `later`, without the drivers that vanished."""

    state: str = "now"
    vanished: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse what the data does not know."""
        if self.state not in STATES:
            raise ValueError(f"found the state {self.state!r}, expected one of {', '.join(STATES)}")

    def has(self, entry: Mapping[str, Any]) -> bool:
        """Tell whether the entry is there."""
        return entry.get("state", self.state) == self.state and str(entry.get("driver")) not in self.vanished


@dataclass(frozen=True)
class Recipe:
    """One repository: its layout, how it names itself, and its packages by suite (in an archive) or folder (of flat repositories)."""

    layout: str
    origin: str
    label: str
    components: tuple[str, ...]
    packages: Mapping[str, tuple[Package, ...]]


def read(name: str, kernel: Kernel, architecture: str, moment: Moment) -> Recipe:
    """Read the data of one repository."""
    data = yaml.safe_load((HERE / f"{name}.yml").read_text(encoding="utf-8"))
    given = {**kernel.values(), "architecture": architecture}
    return Recipe(
        data["layout"],
        data["origin"],
        data["label"],
        tuple(data.get("components", ())),
        {
            place: tuple(package for entry in entries if moment.has(entry) for package in _packages(data["families"], entry, given))
            for place, entries in data["publish"].items()
        },
    )


def _packages(families: Mapping[str, Any], entry: Mapping[str, Any], given: Mapping[str, str]) -> Iterator[Package]:
    """Return the packages of an entry: those of its family, with its values."""
    values = {**given, **{key: str(value).format_map(given) for key, value in entry.items()}}
    family = families[entry["family"]]
    for name, fields in family["packages"].items():
        control = {**family.get("control", {}), **{key: value for key, value in fields.items() if key != "files"}}
        yield Package(
            name=name.format_map(values),
            version=values["version"],
            architecture=values["architecture"],
            component=family.get("component", ""),
            control={key: " ".join(value.format_map(values).split()) for key, value in control.items()},
            files={path.format_map(values): text.format_map(values) for path, text in fields.get("files", {}).items()},
        )
