"""A scratch copy of apt's state, in which to try what would be done: what cannot be is known before anything on the node is touched."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.driver.apt_sources import add_components, entries
from ansible_collections.gpu.fleet.plugins.module_utils.driver.local import output, read
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal


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
            raise Refusal(
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
            raise Refusal(
                f"that the driver's packages would remove {', '.join(strangers)}",
                "them to replace only driver packages",
                "remove these by hand if that is right, and run again",
            )
        return lines
