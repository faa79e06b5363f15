"""Make a package of the kernel modules that DKMS installed on this node, which takes dpkg and kmod.

It changes nothing but the package's folder.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.driver.local import modinfo, output, read
from ansible_collections.gpu.fleet.plugins.module_utils.driver.module_package import (
    PROVENANCE,
    DkmsPackage,
    Provenance,
    control,
    file_name,
    script,
)
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal


@dataclass(frozen=True)
class Build:
    """What is packed."""

    kernel: str
    version: str
    flavour: str
    compilers: tuple[str, ...]  # the packages that compile the module: one of them is installed


def pack(build: Build, folder: Path) -> dict[str, Any]:
    """Make the package in a folder; return its `file`, `sha256`, `name`, and the fields of its provenance."""
    modules = _modules(build)
    dkms = _dkms(build)
    provenance = Provenance(
        kernel=build.kernel,
        version=build.version,
        flavour=build.flavour,
        vermagic=modinfo(modules[0], "vermagic"),
        compiler=_compiler(build.kernel),
        signer=modinfo(modules[0], "signer"),
        signing_key=modinfo(modules[0], "sig_key").replace(":", "").lower(),
        source=f"{dkms.name} {dkms.version}",
        built_on=socket.gethostname(),
        built_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )
    architecture = output("dpkg", "--print-architecture").strip()
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / file_name(provenance.name, build.version, architecture)
    with tempfile.TemporaryDirectory(prefix=".pack-", dir=folder) as scratch:
        tree = Path(scratch) / "tree"
        _fill(tree, modules, provenance)
        size_kib = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file()) // 1024 + 1
        _control(tree / "DEBIAN", provenance, control(provenance, dkms, list(build.compilers), architecture, size_kib))
        # xz takes minutes of CPU for what is compiled once and copied once to each node.
        output("dpkg-deb", "--build", "--root-owner-group", "-Zxz", "-z1", str(tree), f"{scratch}/package.deb")
        Path(scratch, "package.deb").replace(made)
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    return {"file": str(made), "sha256": digest, "name": provenance.name, **provenance.plain()}


def _modules(build: Build) -> list[Path]:
    """Return the driver's modules as DKMS installed them; refuse none, and what is of another version."""
    folder = Path("/lib/modules").resolve() / build.kernel / "updates/dkms"
    modules = sorted(folder.glob("nvidia*.ko*"))
    versions = {path.name: modinfo(path, "version") for path in modules}
    if not modules or set(versions.values()) != {build.version}:
        found = ", ".join(f"{name} {version}" for name, version in versions.items())
        raise Refusal(
            f"{found or 'no modules'} in {folder}",
            f"the driver's modules at {build.version}",
            "look at `dkms status` and at the log of the build in /var/lib/dkms",
        )
    return modules


def _dkms(build: Build) -> DkmsPackage:
    fields = r"${Package}\t${Version}\t${Depends}\t${Provides}\t${db:Status-Abbrev}\n"
    # To ask for a name without a package is an error, and of these only one is there: so all packages are listed.
    for line in output("dpkg-query", "-W", "-f", fields).splitlines():
        name, version, depends, provides, status = line.split("\t")
        package = DkmsPackage(name, version, depends, provides)
        if name in build.compilers and status[1:2] == "i" and package.driver == build.version:
            return package
    raise Refusal(
        f"none of {', '.join(build.compilers)} at {build.version} installed here",
        "the package that compiled the modules",
        "install it, so that what the modules need is known",
    )


def _compiler(kernel: str) -> str:
    """Return the compiler of the kernel, which DKMS takes too."""
    config = read(Path("/lib/modules") / kernel / "build/include/config/auto.conf") or read(Path("/boot") / f"config-{kernel}")
    found = re.search(r'^CONFIG_CC_VERSION_TEXT="(.*)"$', config, re.MULTILINE)
    return found[1] if found else ""


def _fill(tree: Path, modules: Iterable[Path], provenance: Provenance) -> None:
    told = tree / PROVENANCE.format(name=provenance.name)
    told.parent.mkdir(parents=True)
    told.write_text(json.dumps(provenance.plain(), indent=2) + "\n", encoding="utf-8")
    for module in modules:
        place = tree / module.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(module, place)
    for path in [tree, *tree.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def _control(folder: Path, provenance: Provenance, text: str) -> None:
    folder.mkdir(mode=0o755)
    (folder / "control").write_text(text, encoding="utf-8")
    for name, moment in (("postinst", "configure"), ("postrm", "remove")):
        (folder / name).write_text(script(provenance.kernel, moment), encoding="utf-8")
        (folder / name).chmod(0o755)
