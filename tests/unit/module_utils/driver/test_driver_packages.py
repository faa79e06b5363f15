"""Every combination of system, source, architecture, flavour, branch and fabric gives what expected_packages.txt says, or is refused."""

from __future__ import annotations

import functools
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.gpu.fleet.plugins.module_utils.driver.packages import FABRICS, Choice, Module, Packages, choose
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.rule import ARCHITECTURES
from ansible_collections.gpu.fleet.plugins.module_utils.driver.system import WITHOUT_PACKAGES, System, system_name
from unit.module_utils.driver.package_table import BLOCKS, GROUPS, Block

VARS = Path(__file__).parents[4] / "roles" / "nvidia_driver" / "vars"
SYSTEMS = ("Debian-12", "Debian-13", "RedHat-8", "RedHat-9", "RedHat-10", "Ubuntu-22", "Ubuntu-24")
SOURCES = ("archive", "nvidia")
EXACT = {
    "none": "",
    "535": "535.261.03",
    "550": "550.163.01",
    "570": "570.211.01",
    "580": "580.95.05",
    "590": "590.48.01",
    "610": "610.43.02",
}
KERNEL, KIND = "6.8.0-60-generic", "generic-hwe-24.04"


@functools.cache
def variables(name: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((VARS / f"{name}.yml").read_text(encoding="utf-8"))
    return values


def data_of(name: str) -> dict[str, Any]:
    """Read a system's data as the role does: what its distribution has, and what its release adds."""
    distribution, release = variables(name.split("-", maxsplit=1)[0]), variables(name)
    return {"sources": distribution["__nvidia_driver_sources"], **release["__nvidia_driver_release"]}


KNOWN = {name: System.parse(name, data_of(name)) for name in SYSTEMS}


@dataclass(frozen=True)
class Combination:
    """One of all."""

    system: str
    source: str
    architecture: str
    flavour: str  # empty where the kernel module is not managed
    persistence: bool
    prebuilt: bool
    branch: str
    version: str
    fabric: str

    def choice(self) -> Choice:
        module = Module(self.flavour, (KERNEL,), KIND, persistence=self.persistence, prebuilt=self.prebuilt) if self.flavour else None
        return Choice(self.source, self.architecture, self.version, module, self.fabric)

    def blocks(self) -> list[Block]:
        """Return the table's blocks for it."""
        here = [block for block in BLOCKS if self.system in block.systems and block.source == self.source and self.branch in block.branches]
        return [block for topic in ("driver", self.fabric) for block in here if block.topic == topic]

    def expected(self, blocks: list[Block]) -> dict[str, Any]:
        """Return what they say of it."""
        so = {self.architecture, self.flavour, "persistence" if self.flavour and self.persistence else ""}
        so.add("prebuilt" if self.prebuilt else "compiled")
        values = {"branch": self.branch, "version": self.version, "kernel": KERNEL, "kind": KIND}
        groups: dict[str, list[str]] = {group: [] for group in GROUPS}
        for line in (line for block in blocks for line in block.lines if line.needs <= so):
            groups[line.group] += [re.sub("<([a-z]+)>", lambda found: values[found[1]], name) for name in line.names]
        settings = blocks[0].settings
        held = [name for group in settings["held"].split() for name in groups[group]]
        return {**{group: tuple(sorted(names)) for group, names in groups.items()}, "held": tuple(sorted(held)), "hold": settings["hold"]}


def combinations(name: str) -> Iterator[Combination]:
    modules = [("", False, False), *itertools.product(("open", "proprietary"), (True, False), (True, False))]
    every = itertools.product(SOURCES, ARCHITECTURES, modules, EXACT, FABRICS)
    for source, architecture, (flavour, persistence, prebuilt), branch, fabric in every:
        for version in {EXACT[branch], "" if branch == "none" else branch}:
            yield Combination(name, source, architecture, flavour, persistence, prebuilt, branch, version, fabric)


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_combination_is_as_in_the_table_or_refused(name: str) -> None:
    outcomes: Counter[str] = Counter()
    for combination in combinations(name):
        blocks = combination.blocks()
        unknown = len(blocks) < (1 if combination.fabric == "none" else 2)
        if unknown or (combination.prebuilt and not combination.expected(blocks)["modules"]):
            with pytest.raises(Refusal):
                choose(KNOWN[name], combination.choice())
            outcomes["refused"] += 1
            continue
        answer = choose(KNOWN[name], combination.choice())
        assert {key: getattr(answer, key) for key in (*GROUPS, "held", "hold")} == combination.expected(blocks), combination
        outcomes["answered"] += 1
    assert outcomes["answered"] > 200
    assert outcomes["refused"] > 200


def test_the_table_says_each_thing_once_and_from_where() -> None:
    heads = Counter((name, block.source, branch, block.topic) for block in BLOCKS for name in block.systems for branch in block.branches)
    assert {head: count for head, count in heads.items() if count > 1} == {}
    assert all(block.settings["from"] for block in BLOCKS)
    assert {name for block in BLOCKS for name in block.systems} == set(SYSTEMS)


def test_every_system_has_its_data_and_its_rows() -> None:
    assert sorted(path.stem for path in VARS.glob("*-*.yml")) == sorted(SYSTEMS)
    assert all(set(system.sources) <= set(SOURCES) for system in KNOWN.values())


@pytest.mark.parametrize(
    ("name", "architecture", "flavour", "repository", "stream"),
    [
        ("Debian-12", "x86_64", "open", "debian12/x86_64", ""),
        ("Debian-13", "aarch64", "open", "debian13/sbsa", ""),
        ("Ubuntu-22", "x86_64", "proprietary", "ubuntu2204/x86_64", ""),
        ("Ubuntu-24", "aarch64", "open", "ubuntu2404/sbsa", ""),
        ("RedHat-8", "x86_64", "open", "rhel8/x86_64", "nvidia-driver:580-open"),
        ("RedHat-8", "x86_64", "proprietary", "rhel8/x86_64", "nvidia-driver:580-dkms"),
        ("RedHat-9", "aarch64", "open", "rhel9/sbsa", "nvidia-driver:580-open"),
        ("RedHat-9", "x86_64", "proprietary", "rhel9/x86_64", "nvidia-driver:580-dkms"),
        ("RedHat-9", "x86_64", "", "rhel9/x86_64", "nvidia-driver:580-open"),
        ("RedHat-10", "aarch64", "open", "rhel10/sbsa", ""),
    ],
)
def test_nvidias_repository_and_module_stream(name: str, architecture: str, flavour: str, repository: str, stream: str) -> None:
    """By NVIDIA's folders (servers with ARM processors have sbsa there), and the streams of EL8 and EL9."""
    answer = choose(KNOWN[name], Choice("nvidia", architecture, "580.95.05", Module(flavour, (KERNEL,), KIND) if flavour else None))
    assert (answer.repository, answer.stream) == (repository, stream)


def test_the_archive_has_no_folder_of_nvidias() -> None:
    assert choose(KNOWN["Ubuntu-24"], Choice("archive", "x86_64", "580", None)).repository == ""


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("source", WITHOUT_PACKAGES)
def test_the_installer_and_a_driver_that_is_there_already_are_no_packages(name: str, source: str) -> None:
    assert choose(KNOWN[name], Choice(source, "x86_64", "580.95.05", Module("open", (KERNEL,), KIND), "nvlink5")) == Packages()


OPEN_580 = Choice("nvidia", "x86_64", "580", Module("open", (KERNEL,), KIND))


@pytest.mark.parametrize(
    ("name", "choice", "message"),
    [
        (
            "RedHat-9",
            replace(OPEN_580, source="archive"),
            r"Found nvidia_driver_source 'archive'\. .* RedHat 9 has: nvidia, runfile",
        ),
        (
            "Debian-12",
            replace(OPEN_580, source="ppa"),
            r"Expected .* Debian 12 has: archive, nvidia, runfile, preinstalled\. Next",
        ),
        ("Ubuntu-24", replace(OPEN_580, architecture="riscv64"), r"Found the architecture 'riscv64'\. Expected one of x86_64, aarch64"),
        ("Ubuntu-24", replace(OPEN_580, fabric="torus"), r"Found the kind of fabric 'torus'\. Expected one of none, nvswitch, nvlink5"),
        (
            "Ubuntu-24",
            replace(OPEN_580, module=Module("closed", (KERNEL,), KIND)),
            r"Found the flavour .* 'closed'\. Expected one of open",
        ),
        ("Ubuntu-24", replace(OPEN_580, version=""), r"Found no version of the driver\. Expected a branch such as 580"),
        ("Ubuntu-24", replace(OPEN_580, version="latest"), r"Found 'latest' as the driver's version\. Expected a branch such as 580"),
        ("Ubuntu-24", replace(OPEN_580, version="58"), r"Found '58' as"),
        ("Ubuntu-24", replace(OPEN_580, version="580-open"), r"Found '580-open' as"),
        ("Ubuntu-24", replace(OPEN_580, version="580.95.05-1"), r"Found '580\.95\.05-1' as .* Next step: set nvidia_driver_version"),
        ("Ubuntu-24", replace(OPEN_580, version="470"), r"Found driver 470 from source nvidia\. Expected branch 535 or later"),
        (
            "RedHat-8",
            replace(OPEN_580, version="550.163.01"),
            r"Found driver 550\.163\.01 from .* Expected branch 570 or later",
        ),
        (
            "Debian-12",
            replace(OPEN_580, source="archive", fabric="nvswitch"),
            r"Found NVSwitches .* source archive\. .* Next .* to nvidia",
        ),
        (
            "Ubuntu-22",
            replace(OPEN_580, source="archive", fabric="nvlink5"),
            r"Found NVSwitches of NVLink 5 .* a source of Ubuntu 22",
        ),
        (
            "Ubuntu-22",
            replace(OPEN_580, version="550", fabric="nvlink5"),
            r"Found NVSwitches of NVLink 5 .* Next step: take a newer",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_the_next_step(name: str, choice: Choice, message: str) -> None:
    with pytest.raises(Refusal, match=message):
        choose(KNOWN[name], choice)


@pytest.mark.parametrize(
    ("distribution", "release", "name"),
    [
        ("Debian", "12", "Debian-12"),
        ("Ubuntu", "22.04", "Ubuntu-22"),
        ("RedHat", "9.4", "RedHat-9"),
        ("Rocky", "8.10", "RedHat-8"),
        ("AlmaLinux", "10.0", "RedHat-10"),
    ],
)
def test_rebuilds_are_the_system_that_they_rebuild(distribution: str, release: str, name: str) -> None:
    assert system_name(distribution, release, SYSTEMS) == name


@pytest.mark.parametrize(("distribution", "release"), [("Slackware", "15.0"), ("Debian", "11"), ("Rocky", "7"), ("Ubuntu", "")])
def test_an_unknown_system_is_refused_with_those_that_are_known(distribution: str, release: str) -> None:
    with pytest.raises(Refusal, match=rf"Found {distribution} {release}.* Expected one of Debian 12, .* Ubuntu 24.* Next step: .*vars/"):
        system_name(distribution, release, SYSTEMS)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"names": ["a"], "source": "x", "part": "modul"}, "found part 'modul'.*expected one of pinning"),
        ({"names": ["a"], "source": "x", "flavour": "closed"}, "found flavour 'closed'.*expected one of open, proprietary"),
        ({"names": ["a"], "source": "x", "architecture": "arm64"}, "found architecture 'arm64'.*expected one of x86_64, aarch64"),
        ({"names": ["a-{brnch}"], "source": "x"}, "found the name 'a-{brnch}', expected no other braces"),
        ({"names": ["a"], "source": ""}, "of source ''"),
        ({"names": [], "source": "x"}, r"found the names \(\)"),
    ],
)
def test_data_that_means_nothing_is_refused(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        System.parse("Plan-9", {"sources": {"archive": {"hold": "apt-mark", "packages": [entry]}}})


def test_a_mistyped_key_of_the_data_is_refused() -> None:
    with pytest.raises(TypeError, match="flavor"):
        System.parse(
            "Plan-9", {"sources": {"archive": {"hold": "apt-mark", "packages": [{"names": ["a"], "source": "x", "flavor": "open"}]}}}
        )
    with pytest.raises(ValueError, match="found hold 'pin', expected one of apt-mark, versionlock"):
        System.parse("Plan-9", {"sources": {"archive": {"hold": "pin", "packages": []}}})


@pytest.mark.parametrize(
    ("system", "source", "flavour", "names"),
    [
        ("Debian-12", "archive", "open", ["nvidia-current-open"]),
        ("Debian-13", "archive", "proprietary", ["nvidia-current"]),
        ("Debian-12", "nvidia", "open", ["nvidia"]),
        ("Debian-12", "runfile", "open", ["nvidia"]),
        ("Debian-12", "preinstalled", "", ["nvidia", "nvidia-current", "nvidia-current-open"]),
        ("Ubuntu-24", "archive", "open", ["nvidia"]),
        ("RedHat-9", "preinstalled", "", ["nvidia"]),
    ],
)
def test_the_kernel_module_is_looked_for_by_the_name_that_it_has(system: str, source: str, flavour: str, names: list[str]) -> None:
    """Debian's open module was looked for under the name of the proprietary one, and every such node failed after its installation."""
    assert KNOWN[system].module_names(source, flavour) == names
