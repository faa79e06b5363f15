"""A scratch copy of dnf's state, in which to try what would be done: what cannot be is known before anything on the node is touched."""

from __future__ import annotations

import shutil
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.driver import module_streams
from ansible_collections.gpu.fleet.plugins.module_utils.driver.dnf_transaction import Step, parse_transaction
from ansible_collections.gpu.fleet.plugins.module_utils.driver.local import output, read
from ansible_collections.gpu.fleet.plugins.module_utils.driver.offers import ORDINARY, Offers
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.strangers import Own, refuse_strangers
from ansible_collections.gpu.fleet.plugins.module_utils.driver.version import newest_first
from ansible_collections.gpu.fleet.plugins.module_utils.driver.versionlock import SETTINGS, list_path, parse_list

_QUERY = "%{name} %{epoch}:%{version}-%{release}.%{arch}"


class ScratchDnf:
    """A root of its own with the node's configuration, sources, module streams, locks, list of packages and cache."""

    node = Path("/")
    sources_folder = "etc/yum.repos.d"

    def __init__(self, root: Path) -> None:
        """Copy what is there; the real cache spares a download."""
        self.root = root
        database = output("rpm", "--eval", "%_dbpath").strip().lstrip("/")
        for name in ("etc/dnf", self.sources_folder, database):
            shutil.copytree(self.node / name, root / name)
        (root / "etc/os-release").write_text(read(self.node / "etc/os-release") + "\n", encoding="utf-8")
        if (self.node / "var/cache/dnf").is_dir():
            shutil.copytree(self.node / "var/cache/dnf", root / "var/cache/dnf", ignore=shutil.ignore_patterns("packages", "*.pid"))
        self._options = (
            f"--installroot={root}",
            f"--setopt=reposdir={root / self.sources_folder}",
            f"--setopt=pluginconfpath={root}/etc/dnf/plugins",
            f"--setopt=varsdir={root}/etc/dnf/vars",
            # It would write the node's subscription into the copy; its sources are there already.
            "--disableplugin=subscription-manager",
        )
        self.locks = parse_list(read(list_path(self.node)))

    def run(self, *command: str, also_good: str = "") -> str:
        """Run one of dnf's commands on the copy."""
        return output("dnf", *command, *self._options, also_good=also_good)

    def sources(self) -> dict[str, str]:
        """Return the node's source files: path -> text."""
        return {str(path): path.read_text(encoding="utf-8") for path in (self.node / self.sources_folder).glob("*.repo")}

    def write(self, path: str, text: str) -> None:
        """Write a source file into the copy."""
        (self.root / self.sources_folder / Path(path).name).write_text(text, encoding="utf-8")

    def remove(self, path: str) -> None:
        """Take a source file out of the copy."""
        (self.root / self.sources_folder / Path(path).name).unlink()

    def enable(self, stream: str) -> None:
        """Enable MODULE:STREAM instead of whichever stream of that module is enabled; refuse one that there is not."""
        module = stream.partition(":")[0]
        now = module_streams.enabled(self.root, module)
        if now == stream:
            return
        if now:
            self.run("module", "reset", "-y", "-q", module)
        try:
            self.run("module", "enable", "-y", "-q", stream)
        except Refusal:
            module_streams.refuse_unknown(stream, module_streams.parse_streams(self.run("module", "list", "-q"), module))
            raise

    def offers(self, architecture: str, *query: str) -> Offers:
        """Return what the sources have, of libraries only this architecture's, the newest first; of all or of the queried packages."""
        found: dict[str, set[str]] = {}
        for line in self.run("repoquery", "-q", "--available", "--qf", _QUERY, *query).splitlines():
            name, _, version = line.partition(" ")
            if version.rpartition(".")[2] in {architecture, "noarch"}:
                found.setdefault(name, set()).add(version)
        return {name: [(version, ORDINARY) for version in newest_first(versions)] for name, versions in found.items()}

    def lock(self, lines: list[str]) -> None:
        """Keep versions in the copy, and no others."""
        path = self.root / "locks"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        (self.root / SETTINGS).write_text(f"[main]\nenabled = 1\nlocklist = {path}\n", encoding="utf-8")

    def simulate(self, packages: list[str], own: Own) -> list[Step]:
        """Return what an installation would do; refuse one that takes away what is not the driver's."""
        steps = parse_transaction(self.run("install", "--assumeno", "--allowerasing", *packages, also_good="Operation aborted."))
        refuse_strangers((step.name for step in steps if step.removes), own)
        return steps
