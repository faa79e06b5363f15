"""What the roles install, downloaded with all that it depends on, as if nothing were installed: a node in any state can be served."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.bundle.repository import index
from ansible_collections.gpu.fleet.plugins.module_utils.driver.local import output
from ansible_collections.gpu.fleet.plugins.module_utils.driver.scratch_apt import ScratchApt

_DOWNLOAD_TIMEOUT_S = 6 * 3600


@dataclass(frozen=True)
class Wanted:
    """What a node needs packages for."""

    files: Mapping[str, str]  # path on a node -> text: the sources that it has when the roles are done, and keys that these name
    keys: Mapping[str, Path]  # path on a node -> where this key was fetched to
    packages: tuple[tuple[str, ...], ...]  # what is installed together, each as name or name=version
    pin: str = ""  # the driver's version, where a package pins it that is not among what a download looks at
    mirrors: tuple[str, ...] = ()  # folders of the repository under which it is found too


def gather(wanted: Wanted, work: Path, target: Path) -> dict[str, str]:
    """Download, index and pack: name -> version of each package."""
    repository = work / "repository"
    (repository / "partial").mkdir(parents=True)
    (work / "apt").mkdir()
    apt = ScratchApt(work / "apt")
    _add_sources(apt, wanted, repository / "keys")
    nothing = work / "nothing-installed"
    nothing.touch()
    apt.set({"Dir::State::status": nothing, "Dir::Cache::archives": repository, "Debug::NoLocking": "true", "Acquire::Retries": 3})
    # A source that does not answer would leave something older in the bundle, and nobody the wiser.
    apt.run("apt-get", "-q", "update", "-o", "APT::Update::Error-Mode=any")
    if wanted.pin:
        apt.pin(wanted.pin)
    for packages in filter(None, wanted.packages):
        options = ("--download-only", "--yes", "--no-install-recommends")
        apt.run("apt-get", "-q", "install", *options, *packages, timeout=_DOWNLOAD_TIMEOUT_S)
    shutil.rmtree(repository / "partial")
    (repository / "lock").unlink(missing_ok=True)
    names = index(repository, output("dpkg", "--print-architecture").strip())
    for mirror in wanted.mirrors:
        (repository / mirror).parent.mkdir(parents=True)
        (repository / mirror).symlink_to("/".join([".."] * mirror.count("/")))
    with tarfile.open(target, "w") as tar:
        tar.add(repository, arcname=".", filter=_owned_by_root)
    return dict(name.split("=", 1) for name in names)


def _add_sources(apt: ScratchApt, wanted: Wanted, folder: Path) -> None:
    """Write the sources into the copy, and their keys where the copy and later the nodes find them."""
    folder.mkdir()
    sources = {path: text for path, text in wanted.files.items() if path.endswith((".list", ".sources"))}
    local = {path: str(folder / Path(path).name) for path in (*wanted.keys, *wanted.files) if path not in sources}
    for path, place in local.items():
        Path(place).write_bytes(wanted.keys[path].read_bytes() if path in wanted.keys else wanted.files[path].encode())
    for path, text in sources.items():
        here = text
        for key, place in local.items():
            here = here.replace(key, place)
        apt.write(path, here)
    for file in (apt.root / "sources.list", *(apt.root / "sources.list.d").iterdir()):
        # apt takes what lies in a folder from there, and would not bring it here.
        file.write_text(file.read_text(encoding="utf-8").replace("file:/", "copy:/"), encoding="utf-8")


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mode = 0o644 if member.isfile() else 0o755
    return member
