"""Look at one node's driver packages and plan what brings them all to one held version.

It changes nothing: what a repository offers is found out in a scratch copy of apt's state, so that a version that does not exist, a package that cannot be
installed and a package that would have to go are all known before anything on the node has been touched.

Usage: driver_plan.py REQUEST, both in and out JSON. Fed to the node's Python on its standard input by tasks/plan.yml.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

# package -> its versions, newest first, each with apt's priority for it
Offers = Dict[str, List[Tuple[str, int]]]

# apt's priority of an ordinary archive; backports and the like are below and have to be asked for by their version.
ORDINARY_PRIORITY = 500


class PlanError(Exception):
    """What stops the plan, as found, expected and next step."""


# Versions


def upstream(version: str) -> str:
    """Return the driver's version within a package's: 535.309.01 of 535.309.01-0+deb12u1."""
    return re.sub(r"^\d+:", "", version).split("-")[0]


def matches(wanted: str, version: str) -> bool:
    """Tell whether a driver version is the wanted one: exact, of a branch ("535"), or any ("")."""
    return not wanted or version == wanted or version.startswith(wanted + ".")


def newest_first(versions: Iterable[str]) -> List[str]:
    return sorted(versions, key=lambda version: [int(part) for part in re.findall(r"\d+", version)], reverse=True)


def parse_policy(text: str) -> Offers:
    """Read `apt-cache policy PACKAGE...`."""
    offers: Offers = {}
    package = ""
    for line in text.splitlines():
        if line and not line[0].isspace():
            package = line.rstrip(":").split(":")[0]
            offers[package] = []
            continue
        found = re.match(r"^ (?:\*\*\*|   ) (\S+) (-?\d+)$", line)
        if found:
            offers[package].append((found.group(1), int(found.group(2))))
    return offers


def resolve(offers: Offers, packages: List[str], wanted: str) -> Dict[str, str]:
    """Choose the newest wanted driver version that all packages have: package -> its version of that driver."""
    by_driver: Dict[str, Dict[str, str]] = {}
    for package in packages:
        for version, priority in offers.get(package, []):
            if priority >= (1 if wanted else ORDINARY_PRIORITY):
                by_driver.setdefault(upstream(version), {}).setdefault(package, version)
    for driver in newest_first(by_driver):
        if matches(wanted, driver) and len(by_driver[driver]) == len(set(packages)):
            return by_driver[driver]
    found = []
    for driver in newest_first(by_driver):
        without = [package for package in packages if package not in by_driver[driver]]
        found.append(driver + (f" (but without {', '.join(without)})" if without else ""))
    expected = f"nvidia_driver_version {wanted!r}" if wanted else "a driver version"
    raise PlanError(
        f"found {'; '.join(found) or 'no driver packages'} in the node's package sources, expected {expected} of all {len(packages)} packages. "
        "Next step: set nvidia_driver_version to a version that is complete, or add a package source that has the wanted one."
    )


# Installed packages


@dataclass(frozen=True)
class Installed:
    """One package in dpkg's list."""

    version: str
    held: bool


def parse_dpkg(text: str) -> Dict[str, Installed]:
    """Read `dpkg-query -W -f '${Package} ${Version} ${db:Status-Abbrev}\\n'`: the packages that are wholly installed."""
    installed = {}
    for line in text.splitlines():
        name, version, status = [*line.split(), "", ""][:3]
        if status[1:2] == "i":
            installed[name] = Installed(version, held=status[0] == "h")
    return installed


def coherent(installed: Dict[str, Installed], packages: List[str], wanted: str) -> str:
    """Return the wanted driver version that all packages are installed at, or nothing."""
    versions = {upstream(installed[package].version) if package in installed else "" for package in packages}
    version = versions.pop() if len(versions) == 1 else ""
    return version if version and matches(wanted, version) else ""


# GPUs and kernel


def gpu_ids(devices: Path) -> List[int]:
    """Return the PCI device ids of NVIDIA's GPUs; no driver is needed for that."""
    ids = []
    for device in sorted(devices.glob("*")):
        vendor, kind, number = (read(device / name) for name in ("vendor", "class", "device"))
        if vendor == "0x10de" and kind[:6] in {"0x0300", "0x0302"}:
            ids.append(int(number, 16))
    return ids


def flavours(asked: str, gpus: List[int], limits: Dict[str, Any]) -> List[str]:
    """Return the kernel module's flavours that fit all GPUs, the recommended one first."""
    fitting = ["open", "proprietary"]
    for gpu in gpus:
        if gpu < limits["open_from"]:
            fitting = [flavour for flavour in fitting if flavour != "open"]
        if any(first <= gpu <= last for first, last in limits["open_only"]):
            fitting = [flavour for flavour in fitting if flavour != "proprietary"]
    chosen = [flavour for flavour in fitting if asked in {"auto", flavour}]
    if not chosen:
        raise PlanError(
            f"found GPUs with the PCI device ids {', '.join(f'0x{gpu:04x}' for gpu in sorted(set(gpus)))}, which work with {' or '.join(fitting) or 'no one'} "
            f"kernel module, expected one for nvidia_driver_kernel_module_flavour {asked!r}. Next step: set it to auto."
        )
    return chosen


def header_packages(kernel: str) -> Tuple[str, str]:
    """Return the packages with the headers of this kernel and of whatever kernel of its flavour comes next."""
    flavour = re.sub(r"^\d+\.\d+[^-]*-(?:[\d.]+(?:deb[\d.]+)?-)?", "", kernel)
    return f"linux-headers-{kernel}", f"linux-headers-{flavour}"


# Package sources


class Entry(NamedTuple):
    """One line or stanza of a sources file: where its components stand in the file, and what it is for."""

    start: int
    end: int
    uris: List[str]
    suites: List[str]
    components: List[str]


def one_line_entries(text: str) -> List[Entry]:
    """Find the entries of a one-line sources file."""
    entries = []
    for found in re.finditer(r"^[ \t]*deb(?:-src)?[ \t]+(?:\[[^\]\n]*\][ \t]+)?(\S+)[ \t]+(\S+)([^#\n]*)", text, re.MULTILINE):
        components = found.group(3)
        start = found.start(3)
        entries.append(Entry(start, start + len(components.rstrip()), [found.group(1)], [found.group(2)], components.split()))
    return entries


def deb822_entries(text: str) -> List[Entry]:
    """Find the enabled entries of a deb822 sources file."""
    entries = []
    for stanza in re.finditer(r"(?:^(?!\s*\n).*\n?)+", text, re.MULTILINE):
        fields: Dict[str, re.Match[str]] = {}
        for field in re.finditer(r"^(?P<name>[A-Za-z-]+):(?P<value>.*(?:\n(?:[ \t]+\S.*|#.*(?=\n[ \t])))*)", stanza.group(), re.MULTILINE):
            fields[field["name"].lower()] = field
        words = {name: re.sub(r"(?m)^#.*$", "", field["value"]).split() for name, field in fields.items()}
        if "components" in fields and words.get("enabled", ["yes"])[0].lower() not in {"no", "false", "0"}:
            start, end = (stanza.start() + place for place in fields["components"].span("value"))
            entries.append(Entry(start, end, words.get("uris", []), words.get("suites", []), words["components"]))
    return entries


def add_components(files: Dict[str, str], archive: Set[Tuple[str, str]], wanted: List[str]) -> Dict[str, str]:
    """Add the wanted components to the archive's entries that have "main": path -> new text, of the files that change.

    An archive is the set of (URI, suite) that apt knows to be the distribution's. A component that another entry has for the suite is not added again.
    """
    entries = {path: (deb822_entries if path.endswith(".sources") else one_line_entries)(text) for path, text in files.items()}
    known = [
        (path, entry, {suite for uri in entry.uris for suite in entry.suites if (uri.rstrip("/"), suite) in archive})
        for path in sorted(entries)
        for entry in entries[path]
    ]
    there = {(suite, component) for _, entry, suites in known for suite in suites for component in entry.components}
    additions: Dict[str, List[Tuple[int, str]]] = {}
    for path, entry, suites in known:
        missing = [component for component in wanted if any((suite, component) not in there for suite in suites)]
        if "main" in entry.components and missing:
            additions.setdefault(path, []).append((entry.end, " " + " ".join(missing)))
            if not is_source(files[path], entry):
                there |= {(suite, component) for suite in suites for component in missing}
    changed = {}
    for path, places in additions.items():
        text = files[path]
        for place, words in sorted(places, reverse=True):
            text = text[:place] + words + text[place:]
        changed[path] = text
    return changed


def is_source(text: str, entry: Entry) -> bool:
    """Tell whether a one-line entry is for source packages only."""
    return text[text.rfind("\n", 0, entry.start) + 1 : entry.start].lstrip().startswith("deb-src")


# The node


def read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def output(*command: str, environment: Optional[Dict[str, str]] = None) -> str:
    """Run a command that reads and return what it prints; what it complains about becomes the error."""
    done = subprocess.run(  # noqa: S603 (the commands are in this file)
        command, capture_output=True, text=True, check=False, timeout=600, env={**os.environ, "LC_ALL": "C", **(environment or {})}
    )
    if done.returncode:
        complaint = " ".join((done.stdout + done.stderr).split("have unmet dependencies:")[-1].split())
        raise PlanError(f"found that `{' '.join(command[:3])}` fails: {complaint[-1500:]}")
    return done.stdout


class ScratchApt:
    """A copy of apt's configuration, sources and lists, in which to try things."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.chmod(0o755)
        etc = Path("/etc/apt")
        for name in ("sources.list.d", "apt.conf.d"):
            shutil.copytree(etc / name, root / name)
        (root / "sources.list").write_text(read(etc / "sources.list") + "\n", encoding="utf-8")
        (root / "lists" / "partial").mkdir(parents=True)
        (root / "cache").mkdir()
        for index in Path("/var/lib/apt/lists").glob("*_*"):
            if index.is_file():
                shutil.copy2(index, root / "lists")
        (root / "apt.conf").write_text(f'Dir::Etc::Parts "{root}/apt.conf.d";\n', encoding="utf-8")
        (root / "apt.conf.d" / "zzzz-scratch").write_text(
            f'Dir::Etc::SourceList "{root}/sources.list";\nDir::Etc::SourceParts "{root}/sources.list.d";\nDir::State::Lists "{root}/lists";\n'
            f'Dir::Cache "{root}/cache";\nAcquire::Languages "none";\n'
            "#clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n",
            encoding="utf-8",
        )

    def run(self, *command: str) -> str:
        return output(*command, environment={"APT_CONFIG": str(self.root / "apt.conf")})

    def files(self) -> Dict[str, str]:
        """Return the sources files, by their path on the node."""
        parts = [self.root / "sources.list", *(self.root / "sources.list.d").glob("*.list"), *(self.root / "sources.list.d").glob("*.sources")]
        real = {str(Path("/etc/apt") / part.relative_to(self.root)): part for part in parts}
        return {path: Path(path).read_text(encoding="utf-8") for path in real if Path(path).is_file()}

    def archive(self, origin: str) -> Set[Tuple[str, str]]:
        """Return the (URI, suite) of the distribution's own archive: by what the repositories say they are, so a mirror's address does not matter."""
        text = self.run("apt-get", "indextargets", "--format", "$(ORIGIN)|$(REPO_URI)|$(RELEASE)")
        rows = [line.split("|") for line in text.splitlines()]
        return {(uri.rstrip("/"), suite) for label, uri, suite in rows if label == origin and not suite.endswith("-backports")}

    def complete(self, origin: str, components: List[str]) -> Dict[str, str]:
        """Bring the scratch sources to what the node's should be and fetch their lists: path -> new text, of the files that change."""
        archive = self.archive(origin)
        fresh = not archive
        if fresh:
            self.run("apt-get", "-q", "update")
            archive = self.archive(origin)
        if not archive:
            raise PlanError(
                f"found no package source of origin {origin} on the node, expected its archive. "
                "Next step: look at /etc/apt/sources.list, /etc/apt/sources.list.d and at what `apt-get update` says."
            )
        changed = add_components(self.files(), archive, components)
        for path, text in changed.items():
            (self.root / Path(path).relative_to("/etc/apt")).write_text(text, encoding="utf-8")
        if changed or not fresh:
            self.run("apt-get", "-q", "update")
        return changed

    def simulate(self, packages: List[str]) -> List[str]:
        """Return what an installation would do, a line per package; refuse one that takes away what is not the driver's."""
        options = ["--no-install-recommends", "--allow-downgrades", "--allow-change-held-packages"]
        lines = [line for line in self.run("apt-get", "-s", "-q", "install", *options, *packages).splitlines() if line.startswith(("Inst ", "Remv "))]
        strangers = [line.split()[1] for line in lines if line.startswith("Remv ") and not re.search("nvidia|cuda|nvcuvid", line.split()[1])]
        if strangers:
            raise PlanError(
                f"found that the driver's packages would remove {', '.join(strangers)}, expected them to remove nothing but driver packages. "
                "Next step: remove those by hand if that is right, and run again."
            )
        return lines


@dataclass(frozen=True)
class Node:
    """What decides about the packages, as it is now."""

    installed: Dict[str, Installed]
    kernel: str
    headers_built_in: bool
    gpus: List[int]
    loaded: str


def look(request: Dict[str, Any]) -> Node:
    kernel = os.uname().release
    return Node(
        installed=parse_dpkg(output("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Abbrev}\n")),
        kernel=kernel,
        headers_built_in=Path("/lib/modules", kernel, "build").exists(),
        gpus=gpu_ids(Path(request["pci_devices"])),
        loaded=read(Path("/sys/module/nvidia/version")),
    )


def candidates(request: Dict[str, Any], node: Node) -> Dict[str, List[str]]:
    """Return the package lists that would do, best first, by the flavour of the kernel module ("" without one)."""
    module = request["module"]
    if not module:
        return {"": request["packages"]}
    return {flavour: request["packages"] + module["packages"][flavour] for flavour in flavours(module["flavour"], node.gpus, module["limits"])}


def companions(request: Dict[str, Any], node: Node) -> List[str]:
    """Return the packages that go with the driver and have versions of their own."""
    module = request["module"]
    if not module:
        return []
    return list(module["companions"]) + ([] if node.headers_built_in else [header_packages(node.kernel)[0]])


def plan(request: Dict[str, Any], node: Node) -> Dict[str, Any]:
    wanted = request["version"]
    beside = companions(request, node)
    state: Dict[str, Any] = {"loaded": node.loaded, "nouveau": Path("/sys/module/nouveau").exists(), "sources": {}, "changes": []}
    for flavour, packages in candidates(request, node).items():
        version = coherent(node.installed, packages, wanted)
        done = all(node.installed[package].held for package in packages) if version else False
        if done and all(package in node.installed for package in beside) and all(Path(path).exists() for path in request["files"]):
            return {**state, "converged": True, "version": version, "flavour": flavour, "packages": [], "names": packages}
    with tempfile.TemporaryDirectory(prefix="nvidia-driver-plan-") as directory:
        apt = ScratchApt(Path(directory))
        sources = apt.complete(request["origin"], request["components"])
        return {**state, "converged": False, "sources": sources, **choose(request, node, apt, beside)}


def choose(request: Dict[str, Any], node: Node, apt: ScratchApt, beside: List[str]) -> Dict[str, Any]:
    """Choose flavour and version from what the sources have: the newest version wins, and at the same version the recommended flavour."""
    wanted = request["version"]
    lists = candidates(request, node)
    headers = header_packages(node.kernel)
    offers = parse_policy(apt.run("apt-cache", "policy", *sorted({*sum(lists.values(), []), *beside, *headers})))
    if headers[0] in beside and not offers.get(headers[0]):
        raise PlanError(
            f"found kernel {node.kernel} running without a package of its headers, expected {headers[0]} in the node's package sources (DKMS compiles against it). "
            "Next step: install and boot a kernel of the distribution, or set nvidia_driver_kernel_module to false where the module comes from elsewhere."
        )
    chosen: Dict[str, Dict[str, str]] = {}
    refused: Optional[PlanError] = None
    for flavour, packages in lists.items():
        try:
            chosen[flavour] = resolve(offers, packages, wanted)
        except PlanError as error:
            refused = refused or error
    if not chosen:
        raise refused or PlanError("found no packages")
    versions = {flavour: upstream(next(iter(packages.values()))) for flavour, packages in chosen.items()}
    newest = newest_first(versions.values())[0]
    flavour = next(name for name, version in versions.items() if version == newest)
    extra = [headers[1]] if request["module"] and not node.headers_built_in and offers.get(headers[1]) else []
    packages = [f"{name}={version}" for name, version in sorted(chosen[flavour].items())] + beside + extra
    return {"version": newest, "flavour": flavour, "packages": packages, "names": sorted(chosen[flavour]), "changes": apt.simulate(packages)}


def main(request: Dict[str, Any]) -> Dict[str, Any]:
    try:
        return plan(request, look(request))
    except (PlanError, OSError, subprocess.TimeoutExpired) as error:
        return {"error": str(error)}


if __name__ == "__main__":
    json.dump(main(json.loads(sys.argv[1])), sys.stdout)
