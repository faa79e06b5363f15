"""Look at one node's driver packages and plan what brings them all to one held version.

It changes nothing. What the repositories offer is found out in a scratch copy of apt's state: a version that does not exist, a package that
cannot be installed and a package that would have to go are all known before anything on the node has been touched.

Usage: driver_plan.py REQUEST, with JSON in and out. tasks/plan.yml feeds it to the node's Python on standard input and documents both.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

# package -> its versions with apt's priority for each, the newest first
Offers = dict[str, list[tuple[str, int]]]

# apt's priority of an ordinary archive. Backports have less: a version that only they have is taken only when it is asked for.
ORDINARY = 500


class PlanError(Exception):
    """What stops the plan."""

    def __init__(self, found: str, expected: str, next_step: str) -> None:
        """Say it in the one form that all messages have."""
        super().__init__(f"Found {found}. Expected {expected}. Next step: {next_step}.")


# Versions


def upstream(version: str) -> str:
    """Return the driver's version within a package's: 535.309.01 of 535.309.01-0+deb12u1."""
    return re.sub(r"^\d+:", "", version).split("-")[0]


def matches(wanted: str, version: str) -> bool:
    """Tell whether a driver version is the wanted one: exact, of a branch ("535"), or any ("")."""
    return not wanted or version == wanted or version.startswith(wanted + ".")


def newest_first(versions: Iterable[str]) -> list[str]:
    """Sort driver versions."""
    return sorted(versions, key=lambda version: [int(part) for part in re.findall(r"\d+", version)], reverse=True)


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
    raise PlanError(
        f"{'; '.join(found) or 'no driver packages'} in the node's package sources",
        f"all driver packages at {wanted or 'one version'}",
        "set nvidia_driver_version to a version that is complete, or add a package source that has the wanted one",
    )


def keep_or_resolve(offers: Offers, lists: dict[str, list[str]], wanted: str, kept: str) -> tuple[str, dict[str, str]]:
    """Complete the driver that a node has, so that a repair is no upgrade; choose one where there is none or it cannot be completed."""
    if kept:
        with contextlib.suppress(PlanError):
            return resolve(offers, lists, kept)
    return resolve(offers, lists, wanted)


# Installed packages


@dataclass(frozen=True)
class Installed:
    """One package in dpkg's list."""

    version: str
    held: bool


def parse_dpkg(text: str) -> dict[str, Installed]:
    """Read the lines "PACKAGE VERSION STATUS" of dpkg-query: the packages that are wholly installed."""
    installed = {}
    for line in text.splitlines():
        name, version, status = [*line.split(), "", ""][:3]
        if status[1:2] == "i":
            installed[name] = Installed(version, held=status[0] == "h")
    return installed


def kept_version(installed: dict[str, Installed], packages: Iterable[str], wanted: str) -> str:
    """Return the wanted driver version that those of the packages which are installed agree on, or nothing."""
    versions = {upstream(installed[package].version) for package in packages if package in installed}
    return next((version for version in versions if len(versions) == 1 and matches(wanted, version)), "")


def complete_and_held(installed: dict[str, Installed], packages: list[str]) -> bool:
    """Tell whether all packages are there and none will be upgraded behind our back."""
    return all(package in installed and installed[package].held for package in packages)


# GPUs and kernel


def gpu_ids(devices: Path) -> list[int]:
    """Return the PCI device ids of NVIDIA's GPUs; that takes no driver."""
    attributes = [[read(device / name) for name in ("vendor", "class", "device")] for device in sorted(devices.glob("*"))]
    return [int(number, 16) for vendor, kind, number in attributes if vendor == "0x10de" and kind[:6] in {"0x0300", "0x0302"}]


def flavours(asked: str, gpus: list[int], limits: dict[str, Any]) -> list[str]:
    """Return the flavours of the kernel module that are asked for and fit all GPUs, the recommended one first."""
    fitting = ["open", "proprietary"]
    if any(gpu < limits["open_from"] for gpu in gpus):
        fitting.remove("open")
    if any(first <= gpu <= last for gpu in gpus for first, last in limits["open_only"]):
        fitting.remove("proprietary")
    chosen = [flavour for flavour in fitting if asked in {"auto", flavour}]
    if not chosen:
        raise PlanError(
            f"GPUs of PCI device id {', '.join(f'0x{gpu:04x}' for gpu in sorted(set(gpus)))}, "
            f"which work with {' or '.join(fitting) or 'no common'} kernel module",
            f"them to work with nvidia_driver_kernel_module_flavour {asked!r}",
            "set it to auto",
        )
    return chosen


def header_packages(kernel: str) -> tuple[str, str]:
    """Return the packages with the headers of this kernel, and of whatever kernel of its kind comes next."""
    kind = re.sub(r"^\d+\.\d+[^-]*-(?:[\d.]+(?:deb[\d.]+)?-)?", "", kernel)
    return f"linux-headers-{kernel}", f"linux-headers-{kind}"


# Package sources


class Entry(NamedTuple):
    """One line or stanza of a sources file, and where in the file its components end."""

    end: int
    uris: list[str]
    suites: list[str]
    components: list[str]

    def places(self) -> set[tuple[str, str]]:
        """Return each (URI, suite) that it names."""
        return {(uri.rstrip("/"), suite) for uri in self.uris for suite in self.suites}


def entries(path: str, text: str) -> list[Entry]:
    """Find the enabled entries for binary packages in a sources file."""
    return deb822_entries(text) if path.endswith(".sources") else one_line_entries(text)


def one_line_entries(text: str) -> list[Entry]:
    """Find them in lines such as "deb [signed-by=...] URI SUITE COMPONENT..."."""
    lines = re.finditer(r"^[ \t]*deb[ \t]+(?:\[[^\]\n]*\][ \t]+)?(\S+)[ \t]+(\S+)([^#\n]*)", text, re.MULTILINE)
    return [Entry(line.start(3) + len(line[3].rstrip()), [line[1]], [line[2]], line[3].split()) for line in lines]


def deb822_entries(text: str) -> list[Entry]:
    """Find them in stanzas of fields, whose values may go on over comments and indented lines."""
    found = []
    for stanza in re.finditer(r"(?:^[ \t]*[^\s].*\n?)+", text, re.MULTILINE):
        fields = re.finditer(r"^([A-Za-z-]+):(.*(?:\n(?:[ \t]+\S.*|#.*(?=\n[ \t])))*)", stanza[0], re.MULTILINE)
        ends, words = {}, {}
        for field in fields:
            name = field[1].lower()
            ends[name] = stanza.start() + field.end()
            words[name] = re.sub(r"(?m)^#.*$", "", field[2]).split()
        if (
            "components" in words
            and "deb" in words.get("types", [])
            and words.get("enabled", ["yes"])[0].lower() not in {"no", "false", "0"}
        ):
            found.append(Entry(ends["components"], words.get("uris", []), words.get("suites", []), words["components"]))
    return found


def add_components(files: dict[str, str], archive: set[tuple[str, str]], wanted: list[str]) -> dict[str, str]:
    """Add the wanted components to the archive's entries that have "main": path -> new text, of the files that change.

    An archive is the set of (URI, suite) that is the distribution's own. What another entry has for a suite is not added for it again.
    """
    known = [
        (path, entry, {suite for _, suite in entry.places() & archive})
        for path, text in sorted(files.items())
        for entry in entries(path, text)
    ]
    there = {(suite, component) for _, entry, suites in known for suite in suites for component in entry.components}
    changed: dict[str, str] = {}
    for path, entry, suites in reversed(known):
        missing = [component for component in wanted if any((suite, component) not in there for suite in suites)]
        if "main" in entry.components and missing:
            text = changed.get(path, files[path])
            changed[path] = " ".join([text[: entry.end], *missing]) + text[entry.end :]
            there |= {(suite, component) for suite in suites for component in missing}
    return changed


# The node


def read(path: Path) -> str:
    """Return a small file's text, or nothing where there is none."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def output(*command: str, **environment: str) -> str:
    """Run a command that only reads and return what it prints."""
    done = subprocess.run(  # noqa: S603 (the commands are all in this file)
        command, capture_output=True, text=True, check=False, timeout=600, env={**os.environ, "LC_ALL": "C", **environment}
    )
    if done.returncode:
        complaint = " ".join((done.stdout + done.stderr).split("have unmet dependencies:")[-1].split())
        raise PlanError(f"`{' '.join(command[:4])}` failing with: {complaint[-1500:]}", "it to work", "repair what it names and run again")
    return done.stdout


class ScratchApt:
    """A copy of apt's configuration, sources and lists, in which to try things."""

    etc = Path("/etc/apt")
    lists = Path("/var/lib/apt/lists")

    def __init__(self, root: Path) -> None:
        """Copy what is there; the real lists spare a download."""
        self.root = root
        root.chmod(0o755)
        for name in ("sources.list.d", "apt.conf.d"):
            shutil.copytree(self.etc / name, root / name)
        (root / "sources.list").write_text(read(self.etc / "sources.list") + "\n", encoding="utf-8")
        (root / "lists" / "partial").mkdir(parents=True)
        (root / "cache").mkdir()
        for index in self.lists.glob("*_*"):
            shutil.copy2(index, root / "lists")
        (root / "apt.conf").write_text(f'Dir::Etc::Parts "{root}/apt.conf.d";\n', encoding="utf-8")
        (root / "apt.conf.d" / "zzzz-scratch").write_text(
            f'Dir::Etc::SourceList "{root}/sources.list";\n'
            f'Dir::Etc::SourceParts "{root}/sources.list.d";\n'
            f'Dir::State::Lists "{root}/lists";\n'
            f'Dir::Cache "{root}/cache";\n'
            'Acquire::Languages "none";\n'
            "#clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n",
            encoding="utf-8",
        )

    def run(self, *command: str) -> str:
        """Run one of apt's commands on the copy."""
        return output(*command, APT_CONFIG=str(self.root / "apt.conf"))

    def origins(self) -> dict[tuple[str, str], str]:
        """Return who each (URI, suite) whose lists are here says it comes from: a mirror is known by that, not by its address."""
        text = self.run("apt-get", "indextargets", "--format", "$(REPO_URI)|$(RELEASE)|$(ORIGIN)")
        return {(uri.rstrip("/"), suite): origin for uri, suite, origin in (line.split("|") for line in text.splitlines())}

    def complete(self, origin: str, components: list[str]) -> dict[str, str]:
        """Make the copy's sources what the node's should be and fetch their lists: path -> new text, of the files that change."""
        parts = (self.etc / "sources.list.d").glob("*")
        paths = [self.etc / "sources.list", *(path for path in parts if path.suffix in {".list", ".sources"})]
        files = {str(path): path.read_text(encoding="utf-8") for path in paths if path.is_file()}
        places = {place for path, text in files.items() for entry in entries(path, text) for place in entry.places()}
        fetched = not places <= self.origins().keys()
        if fetched:
            self.run("apt-get", "-q", "update")
        archive = {place for place, label in self.origins().items() if label == origin and not place[1].endswith("-backports")}
        if not archive:
            raise PlanError(
                f"no package source of origin {origin} on the node", "the distribution's own archive", "look at what `apt-get update` says"
            )
        changed = add_components(files, archive, components)
        for path, text in changed.items():
            (self.root / Path(path).relative_to(self.etc)).write_text(text, encoding="utf-8")
        if changed or not fetched:
            self.run("apt-get", "-q", "update")
        return changed

    def simulate(self, packages: list[str]) -> list[str]:
        """Return what an installation would do, a line for each package; refuse one that takes away what is not the driver's."""
        options = ("--no-install-recommends", "--allow-downgrades", "--allow-change-held-packages")
        lines = [
            line
            for line in self.run("apt-get", "-s", "-q", "install", *options, *packages).splitlines()
            if line.startswith(("Inst ", "Remv "))
        ]
        strangers = [line.split()[1] for line in lines if line.startswith("Remv ") and not re.search("nvidia|cuda|nvcuvid", line)]
        if strangers:
            raise PlanError(
                f"that the driver's packages would remove {', '.join(strangers)}",
                "them to replace only driver packages",
                "remove these by hand if that is right, and run again",
            )
        return lines


@dataclass(frozen=True)
class Node:
    """What decides about the packages, as it is now."""

    installed: dict[str, Installed]
    kernel: str
    has_headers: bool
    gpus: list[int]


def look(request: dict[str, Any]) -> Node:
    """Read the node."""
    kernel = os.uname().release
    return Node(
        installed=parse_dpkg(output("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Abbrev}\n")),
        kernel=kernel,
        has_headers=Path("/lib/modules", kernel, "build").exists(),
        gpus=gpu_ids(Path(request["pci_devices"])),
    )


def package_lists(request: dict[str, Any], node: Node) -> dict[str, list[str]]:
    """Return the packages that have to be of one version, by the flavour of the kernel module ("" without one), the best first."""
    module = request["module"]
    if not module:
        return {"": request["packages"]}
    return {
        flavour: request["packages"] + module["packages"][flavour] for flavour in flavours(module["flavour"], node.gpus, module["limits"])
    }


def companions(request: dict[str, Any], node: Node) -> list[str]:
    """Return the packages beside them that have versions of their own."""
    module = request["module"]
    if not module:
        return []
    return [*module["companions"], *([] if node.has_headers else header_packages(node.kernel)[:1])]


def plan(request: dict[str, Any], node: Node) -> dict[str, Any]:
    """Leave what is as it should be, or else say what to install."""
    lists = package_lists(request, node)
    beside = companions(request, node)
    if all(package in node.installed for package in beside) and all(Path(path).exists() for path in request["files"]):
        for flavour, packages in lists.items():
            version = kept_version(node.installed, packages, request["version"])
            if version and complete_and_held(node.installed, packages):
                return {"converged": True, "version": version, "flavour": flavour}
    with tempfile.TemporaryDirectory(prefix="nvidia-driver-plan-") as directory:
        apt = ScratchApt(Path(directory))
        sources = apt.complete(request["origin"], request["components"])
        headers, next_headers = header_packages(node.kernel)
        names = {name for packages in lists.values() for name in packages}
        offers = parse_policy(apt.run("apt-cache", "policy", *sorted({*names, *beside, headers, next_headers})))
        if headers in beside:
            if not offers.get(headers):
                raise PlanError(
                    f"kernel {node.kernel} running, and no package with its headers",
                    f"{headers} in the node's package sources, since DKMS compiles the module against it",
                    "boot a kernel of the distribution, or set nvidia_driver_kernel_module to false where the module comes from elsewhere",
                )
            beside += [next_headers] if offers.get(next_headers) else []
        flavour, versions = keep_or_resolve(offers, lists, request["version"], kept_version(node.installed, names, request["version"]))
        packages = [f"{name}={version}" for name, version in sorted(versions.items())] + beside
        return {
            "converged": False,
            "version": upstream(next(iter(versions.values()))),
            "flavour": flavour,
            "sources": [
                {"path": path, "text": text, "mode": f"{Path(path).stat().st_mode & 0o7777:04o}"} for path, text in sources.items()
            ],
            "packages": packages,
            "hold": sorted(versions),
            "changes": apt.simulate(packages),
        }


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Plan, and say in one word what module the kernel has now: its version, "nouveau" or nothing."""
    loaded = read(Path("/sys/module/nvidia/version")) or ("nouveau" if Path("/sys/module/nouveau").exists() else "")
    try:
        return {"loaded": loaded, **plan(request, look(request))}
    except (PlanError, OSError, subprocess.TimeoutExpired) as error:
        return {"converged": False, "error": str(error)}


if __name__ == "__main__":
    json.dump(main(json.loads(sys.argv[1])), sys.stdout)
