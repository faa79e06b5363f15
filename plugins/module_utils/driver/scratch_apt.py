"""A scratch copy of apt's state, in which to try what would be done: what cannot be is known before anything on the node is touched."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.driver.apt_sources import entries, plain
from ansible_collections.gpu.fleet.plugins.module_utils.driver.local import output, read, run
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal, without_credentials
from ansible_collections.gpu.fleet.plugins.module_utils.driver.strangers import Own, refuse_strangers


def whereabouts() -> list[Path]:
    """Ask apt for its file and its folder of sources, and the folder of their lists: a node that uses a bundle has others than usual."""
    keys = {"A": "Dir::Etc::SourceList/f", "B": "Dir::Etc::SourceParts/f", "C": "Dir::State::Lists/f"}
    lines = output("apt-config", "shell", *(word for pair in keys.items() for word in pair)).splitlines()
    return [Path(shlex.split(line)[0].split("=", 1)[1]) for line in sorted(lines)]


class ScratchApt:
    """A copy of apt's configuration, sources and lists, in which to try things."""

    etc = Path("/etc/apt")

    def __init__(self, root: Path) -> None:
        """Copy what is there; the real lists spare a download."""
        self.root = root
        root.chmod(0o755)
        self.list, self.parts, self.lists = whereabouts()
        shutil.copytree(self.etc / "apt.conf.d", root / "apt.conf.d")
        shutil.copytree(self.parts, root / "sources.list.d")
        (root / "sources.list").write_text(read(self.list) + "\n", encoding="utf-8")
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

    def run(self, *command: str, timeout: float = 600) -> str:
        """Run one of apt's commands on the copy."""
        return output(*command, timeout=timeout, APT_CONFIG=self._configuration)

    @property
    def _configuration(self) -> str:
        return str(self.root / "apt.conf")

    def origins(self) -> dict[tuple[str, str], str]:
        """Return who each (URI, suite) whose lists are here says it comes from: a mirror is known by that, not by its address."""
        text = self.run("apt-get", "indextargets", "--format", "$(REPO_URI)|$(RELEASE)|$(ORIGIN)")
        return {(plain(uri), suite): origin for uri, suite, origin in (line.split("|") for line in text.splitlines())}

    def sources(self) -> dict[str, str]:
        """Return the node's source files: path -> text."""
        paths = [self.list, *(path for path in self.parts.glob("*") if path.suffix in {".list", ".sources"})]
        return {str(path): path.read_text(encoding="utf-8") for path in paths if path.is_file()}

    def write(self, path: str, text: str) -> None:
        """Write one of the source files, or a new one, into the copy."""
        self._copy_of(path).write_text(text, encoding="utf-8")

    def remove(self, path: str) -> None:
        """Take a source file out of the copy, where it is in there; what else is in the way is not in it."""
        self._copy_of(path).unlink(missing_ok=True)

    def _copy_of(self, path: str) -> Path:
        return self.root / "sources.list" if Path(path) == self.list else self.root / "sources.list.d" / Path(path).name

    def update(self, places: Collection[str]) -> None:
        """Fetch the lists of the copy's sources; refuse where one of these addresses does not give its own, and let others fail."""
        done = run("apt-get", "-q", "update", APT_CONFIG=self._configuration)
        lines = without_credentials(done.stdout + done.stderr).splitlines()
        complaints = [line for line in lines if line.startswith(("E: ", "W: ")) and any(place in line for place in places)]
        if complaints:
            raise Refusal(
                f"that a package source does not answer as it should: {' '.join(complaints)[:1500]}",
                f"the lists of {', '.join(sorted(places))}",
                "see whether the node reaches it (proxy, firewall, a mirror that is behind) and run again",
            )

    def archive(self, origin: str) -> set[tuple[str, str]]:
        """Return the (URI, suite) of the distribution's own archive, whose lists are here; backports are not the archive."""
        places = {place for path, text in self.sources().items() for entry in entries(path, text) for place in entry.places()}
        if not places <= self.origins().keys():
            run("apt-get", "-q", "update", APT_CONFIG=self._configuration)
        archive = {place for place, label in self.origins().items() if label == origin and not place[1].endswith("-backports")}
        if not archive:
            raise Refusal(
                f"no package source of origin {origin} on the node",
                "the distribution's own archive",
                "look at what `apt-get update` says; where a mirror names itself otherwise, set nvidia_driver_archive_origin",
            )
        return archive

    def pin(self, version: str) -> None:
        """Prefer a version of the driver in whatever it needs besides the packages that are named."""
        (self.root / "preferences.d").mkdir(exist_ok=True)
        # By name, since apt does not understand a version for "Package: *".
        preference = f"Package: /nvidia|cuda/\nPin: version {version}-*\nPin-Priority: 1001\n"
        (self.root / "preferences.d" / "driver").write_text(preference, encoding="utf-8")
        self.set({"Dir::Etc::PreferencesParts": self.root / "preferences.d"})

    def set(self, settings: Mapping[str, object]) -> None:
        """Set more of apt's options in the copy."""
        with (self.root / "apt.conf.d" / "zzzz-scratch").open("a", encoding="utf-8") as file:
            file.writelines(f'{name} "{value}";\n' for name, value in settings.items())

    def simulate(self, packages: list[str], own: Own) -> list[str]:
        """Return what an installation would do, a line for each package; refuse one that takes away what is not the driver's."""
        lines = self._would(packages)
        refuse_strangers((line.split()[1] for line in lines if line.startswith("Remv ")), own)
        return lines

    def agrees(self, packages: list[str]) -> bool:
        """Tell whether apt would do it."""
        try:
            self._would(packages)
        except Refusal:
            return False
        return True

    def exactly(self, name: str, version: str) -> list[str]:
        """Name a package at a version with all that it needs at just that version: of what it is not told, apt takes the newest."""
        names = [name]
        for each in names:
            depends = re.findall(r"^(?:Pre-)?Depends: (.*)", self.run("apt-cache", "show", f"{each}={version}"), re.MULTILINE)
            needed = re.findall(rf"(\S+) \(= {re.escape(version)}\)", " ".join(depends))
            names += [need for need in dict.fromkeys(needed) if need not in names]
        return [f"{each}={version}" for each in names]

    def idle(self, packages: list[str]) -> list[str]:
        """Return what came along with something, and what nothing would need any more after an installation."""
        lines = self._would(packages, "--auto-remove")
        return [line.split()[1] for line in lines if line.startswith("Remv ")]

    def _would(self, packages: list[str], *options: str) -> list[str]:
        options = ("--no-install-recommends", "--allow-downgrades", "--allow-change-held-packages", *options)
        lines = self.run("apt-get", "-s", "-q", "install", *options, *packages).splitlines()
        return [line for line in lines if line.startswith(("Inst ", "Remv "))]
