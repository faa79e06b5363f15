"""Packages of the driver that go together, and when a node needs them: one entry of the lists in roles/nvidia_driver/vars."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter

from ansible_collections.gpu.fleet.plugins.module_utils.gpu_generation import FLAVOURS

# Whose names the architectures have in NVIDIA's repository.
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "sbsa"}

# `pinning` tells apt beforehand which versions to take; `holding` is the program that holds; `nvlink5` comes on top of `fabric`.
# Of the kernel module, `build` and `headers` compile it; where another node did that, `kernel` would bring a kernel that has none.
PARTS = ("pinning", "holding", "libraries", "module", "build", "headers", "kernel", "persistence", "fabric", "nvlink5")

_BRANCH_FIELDS = {"branch", "version"}
_FIELDS = {*_BRANCH_FIELDS, "kernel", "kernel_kind"}


def fields(template: str) -> set[str]:
    """Return the names between the braces of a template."""
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def needs_branch(template: str) -> bool:
    """Tell whether a template can be filled only when the driver's branch is known."""
    return bool(fields(template) & _BRANCH_FIELDS)


# What stands for a field where any value will do.
_ANY = {"branch": r"\d{3}", "version": r"\d{3}[\d.]*", "kernel": r"\d\S*", "kernel_kind": r"\S+"}


@functools.cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile("".join(re.escape(text) + (_ANY[name] if name else "") for text, name, _, _ in Formatter().parse(template)))


@dataclass(frozen=True)
class Rule:
    """Names and conditions. What a condition leaves empty, it allows."""

    names: tuple[str, ...]  # templates: {branch}, {version} (exact, or the branch), {kernel} (`uname -r`), {kernel_kind}
    source: str  # where the names were read
    part: str = "libraries"
    flavour: str = ""
    architecture: str = ""
    first_branch: int = 0
    before_branch: int | None = None
    own_version: bool = False  # another version than the driver's
    held: bool | None = None  # None: as what has the driver's version is, and nothing else

    def __post_init__(self) -> None:
        """Refuse what a vars file cannot mean."""
        object.__setattr__(self, "names", tuple(self.names))
        allowed: Mapping[str, tuple[str, ...]] = {
            "part": PARTS,
            "flavour": ("", *FLAVOURS),
            "architecture": ("", *ARCHITECTURES),
        }
        for key, values in allowed.items():
            if getattr(self, key) not in values:
                raise ValueError(f"found {key} {getattr(self, key)!r} for {self.names}, expected one of {', '.join(filter(None, values))}")
        for name in self.names:
            if not fields(name) <= _FIELDS:
                raise ValueError(f"found the name {name!r}, expected no other braces than {', '.join(sorted(_FIELDS))}")
        if not self.names or not self.source:
            raise ValueError(f"found the names {self.names} of source {self.source!r}, expected both")

    @property
    def is_held(self) -> bool:
        """Whether the packages are held against upgrades."""
        return not self.own_version if self.held is None else self.held

    @property
    def needs_branch(self) -> bool:
        """Whether it says nothing before the driver's branch is known."""
        return bool(self.first_branch or self.before_branch or any(map(needs_branch, self.names)))

    @property
    def is_compiled(self) -> bool:
        """Whether these are modules that the distribution compiled for one version of the driver, under their kernel's version."""
        return self.own_version and any("branch" in fields(name) for name in self.names)

    def names_it(self, package: str) -> bool:
        """Tell whether this is one of the packages, of whatever branch, version or kernel."""
        return any(_pattern(name).fullmatch(package) for name in self.names)

    def applies(self, flavour: str, architecture: str, branch: int) -> bool:
        """Tell whether the conditions are met."""
        return (
            self.flavour in {"", flavour}
            and self.architecture in {"", architecture}
            and self.first_branch <= branch
            and (self.before_branch is None or branch < self.before_branch)
        )
