"""What a system has of the driver, as data: each source of the driver with its packages, from roles/nvidia_driver/vars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.rule import Rule
from ansible_collections.gpu.fleet.plugins.module_utils.gpu_generation import FLAVOURS

ARCHIVE, NVIDIA = "archive", "nvidia"  # the distribution's archive; NVIDIA's repository
RUNFILE, PREINSTALLED = "runfile", "preinstalled"  # on any system: NVIDIA's installer; whoever put the driver there before
WITHOUT_PACKAGES = (RUNFILE, PREINSTALLED)
HOLDS = ("apt-mark", "versionlock")

MODULE_NAME = "nvidia"  # of the kernel module as a file, as NVIDIA and all who do not say otherwise have it

_REBUILDS = {"Rocky": "RedHat", "AlmaLinux": "RedHat"}  # they use NVIDIA's repository for Red Hat Enterprise Linux


@dataclass(frozen=True)
class PackageSource:
    """One source of packages."""

    hold: str  # what keeps versions: `apt-mark hold`, `dnf versionlock`
    rules: tuple[Rule, ...]
    first_branch: int = 0  # names of older branches are not known here
    signed: bool = False  # whether the kernel's modules come compiled, and signed with a key that machines trust
    module_names: Mapping[str, str] = field(default_factory=dict)  # flavour -> the module's name as a file, where not as usual
    # An archive's:
    origin: str = ""  # how it names itself in its Release file
    components: tuple[str, ...] = ()
    # NVIDIA's repository's:
    repository: str = ""  # the distribution's folder in it
    key: str = ""  # the file there with the key that signs it
    key_fingerprint: str = ""
    streams: Mapping[str, str] = field(default_factory=dict)  # flavour -> module stream, where the repository has such

    def __post_init__(self) -> None:
        """Refuse what a vars file cannot mean."""
        object.__setattr__(self, "components", tuple(self.components))
        if self.hold not in HOLDS:
            raise ValueError(f"found hold {self.hold!r}, expected one of {', '.join(HOLDS)}")
        if not set(self.module_names) <= set(FLAVOURS):
            raise ValueError(f"found module_names of {', '.join(self.module_names)}, expected of {' or '.join(FLAVOURS)}")

    @property
    def compiles(self) -> bool:
        """Whether a node compiles the kernel module, in a way of which we can make a package for others."""
        return self.hold == "apt-mark" and any(rule.part == "build" for rule in self.rules)

    @property
    def needs_branch(self) -> bool:
        """Whether names or conditions depend on the driver's branch."""
        return bool(self.first_branch or self.streams or any(rule.needs_branch for rule in self.rules))


@dataclass(frozen=True)
class System:
    """One release of a distribution."""

    name: str  # such as Debian-12
    sources: Mapping[str, PackageSource]
    default_branch: str = ""  # where the names of a source depend on the branch, and none is asked for

    @classmethod
    def parse(cls, name: str, data: Mapping[str, Any]) -> System:
        """Read `sources` and `default_branch` of a distribution, and what its release adds, which is of NVIDIA's repository."""
        of_release = {key: value for key, value in data.items() if key not in {"sources", "default_branch"}}
        sources = {}
        for source, content in data["sources"].items():
            rules = tuple(Rule(**rule) for rule in content["packages"])
            others = {key: value for key, value in content.items() if key != "packages"}
            sources[source] = PackageSource(rules=rules, **others, **(of_release if source == NVIDIA else {}))
        return cls(name, sources, str(data.get("default_branch", "")))

    @property
    def hold(self) -> str:
        """What keeps versions, which is the same for all sources of a system, and tells its package manager."""
        return next(iter(self.sources.values())).hold

    def source(self, name: str) -> PackageSource:
        """Return a source of packages by its name."""
        if name not in self.sources:
            raise Refusal(
                f"nvidia_driver_source {name!r}",
                f"a source that {self.name.replace('-', ' ')} has: {', '.join((*self.sources, *WITHOUT_PACKAGES))}",
                "set nvidia_driver_source to one of them",
            )
        return self.sources[name]

    def module_names(self, source: str, flavour: str) -> list[str]:
        """Return the kernel module's name as a file; where somebody else put the driver there, all names that it can have."""
        if source == PREINSTALLED:
            known = (name for each in self.sources.values() for name in each.module_names.values())
            return sorted({MODULE_NAME, *known})
        named = self.sources[source].module_names if source in self.sources else {}
        return [named.get(flavour, MODULE_NAME)]


def system_name(distribution: str, release: str, known: Iterable[str]) -> str:
    """Return the name under which a system is known: Ubuntu 22.04 is Ubuntu-22, Rocky Linux 9.4 is RedHat-9."""
    name = f"{_REBUILDS.get(distribution, distribution)}-{release.split('.', maxsplit=1)[0]}"
    if name not in set(known):
        raise Refusal(
            f"{distribution} {release}, whose packages of the driver are not known",
            f"one of {', '.join(sorted(known)).replace('-', ' ')}, or a rebuild of Red Hat Enterprise Linux",
            f"provide the driver yourself and leave role nvidia_driver out, or write roles/nvidia_driver/vars/{name}.yml",
        )
    return name
