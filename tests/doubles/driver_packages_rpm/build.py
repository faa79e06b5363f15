#!/usr/bin/env python3
"""Build signed rpm repositories that stand in for NVIDIA's CUDA repository and for the distribution's, with tiny packages.

    build.py OUT KERNEL VERSION...

OUT gets rhel8, rhel9 and rhel10 (with module streams where NVIDIA has them), each with the driver at the versions that are named, and
system-8 to system-10, with what else it needs and with the headers of KERNEL (`uname -r`). OUT.keys keeps the signing key, so that a
rebuild is trusted as before.
What the packages are is in packages.json. Needs rpmbuild, rpmsign, createrepo_c, modifyrepo_c and gpg.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

DATA = json.loads((Path(__file__).parent / "packages.json").read_text(encoding="utf-8"))
RELEASES = {8: "D42D0685.pub", 9: "D42D0685.pub", 10: "CDF6BA43.pub"}  # NVIDIA's names of the key's file
STREAMS = {8: ("open", "dkms"), 9: ("open", "dkms"), 10: ()}
WORDS = ("requires", "provides", "conflicts", "obsoletes", "recommends")

Package = dict[str, Any]


def run(*command: str | Path, **environment: str) -> str:
    """Run one of the tools."""
    done = subprocess.run(list(map(str, command)), env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def driver(version: str, release: int) -> list[Package]:
    """Return what NVIDIA's repository has of one version of the driver."""
    branch = int(version.split(".", maxsplit=1)[0])
    packages = []
    for package in DATA["driver"]:
        if package.get("first", 0) <= branch < package.get("before", 1000):
            epoch = package.get("epoch", 3)
            values = {"branch": branch, "ev": f"{epoch}:{version}", "evr": f"{epoch}:{version}-1.el{release}"}
            filled = {word: [text.format_map(values) for text in package.get(word, [])] for word in WORDS}
            if release < package.get("recommends_from", 0):
                del filled["recommends"]
            name = package["name"].format_map(values)
            packages.append({**package, "recommends": [], **filled, "name": name, "version": version, "epoch": epoch, "branch": branch})
    return packages


def system(kernel: str) -> list[Package]:
    """Return what the distribution and EPEL have. A kernel whose name is no version of an rpm has its headers by the same text."""
    name, version, release = f"kernel-devel-{kernel.removesuffix('.' + platform.machine())}".rsplit("-", 2)
    return [*DATA["system"], {"name": name, "version": version, "release": release}]


def spec(packages: list[Package], release: int) -> str:
    """Write one spec file for all of them."""
    lines = ["Name: double", "Version: 1", "Release: 1", "Summary: simulated", "License: none", "%description", "simulated", ""]
    for package in packages:
        noarch = ["BuildArch: noarch"] if package.get("arch") == "noarch" else []
        path = f"/usr/bin/{package['program']}" if "program" in package else f"/usr/share/double/{package['name']}"
        lines += [
            f"%package -n {package['name']}",
            f"Version: {package['version']}",
            f"Epoch: {package.get('epoch', 0)}",
            f"Release: {package.get('release', f'1.el{release}')}",
            *noarch,
            "Summary: simulated",
            "AutoReqProv: no",
            *(f"{word.capitalize()}: {text}" for word in WORDS for text in package.get(word, [])),
            f"%description -n {package['name']}",
            "simulated: stands in for the package of this name.",
            f"%files -n {package['name']}",
            path,
        ]
    paths = [line for line in lines if line.startswith("/usr/")]
    lines += [
        "%install",
        *(f"mkdir -p %{{buildroot}}{Path(path).parent}; printf '#!/bin/sh\\necho simulated\\n' > %{{buildroot}}{path}" for path in paths),
    ]
    lines += [f"chmod 755 %{{buildroot}}{path}" for path in paths]
    return "\n".join(lines) + "\n"


def pack(packages: list[Package], release: int, folder: Path, key: str) -> None:
    """Build and sign the packages into a folder of packages."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "double.spec"
        path.write_text(spec(packages, release), encoding="utf-8")
        run("rpmbuild", "-bb", "--quiet", "--define", f"_topdir {scratch}", "--define", "_build_id_links none", path)
        built = sorted((Path(scratch) / "RPMS").glob("*/*.rpm"))
        run("rpmsign", "--addsign", "--define", f"_gpg_name {key}", "--define", f"__gpg {shutil.which('gpg')}", *built)
        for rpm in built:
            shutil.copy2(rpm, folder)


def modules(packages: list[Package], release: int) -> str:
    """Describe the streams, as NVIDIA's genmodules.py does: a stream has each version of its branch."""
    documents = []
    for branch in sorted({package["branch"] for package in packages}):
        for flavour in STREAMS[release]:
            artifacts = [
                f"{package['name']}-{package['epoch']}:{package['version']}-1.el{release}.{package.get('arch', platform.machine())}"
                for package in packages
                if package["branch"] == branch and package.get("stream") in {"any", flavour}
            ]
            documents.append(
                "\n".join(
                    [
                        "---\ndocument: modulemd\nversion: 2\ndata:",
                        f"  name: nvidia-driver\n  stream: {branch}-{flavour}\n  version: 20260101000000\n  context: {branch}{flavour}",
                        f"  arch: {platform.machine()}\n  summary: Nvidia driver for {branch}-{flavour} branch\n  description: simulated",
                        "  license:\n    module: [MIT]\n  artifacts:\n    rpms:",
                        *(f"    - {artifact}" for artifact in artifacts),
                        "...\n",
                    ]
                )
            )
    return "".join(documents)


def key(folder: Path) -> str:
    """Return the fingerprint of the key that signs, made once."""
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
        run(
            "gpg",
            "--batch",
            "--passphrase",
            "",
            "--quick-generate-key",
            "Simulated CUDA repository (tests only)",
            "rsa2048",
            "sign",
            "never",
        )
    listed = run("gpg", "--batch", "--with-colons", "--list-keys")
    return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))


def main() -> None:
    """Build all of them."""
    out, kernel, versions = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    os.environ["GNUPGHOME"] = str(Path(f"{out}.keys"))
    signing = key(Path(f"{out}.keys"))
    public = run("gpg", "--batch", "--armor", "--export", signing)
    out.mkdir(parents=True, exist_ok=True)
    (out / "fingerprint").write_text(signing + "\n", encoding="ascii")
    for release, name in RELEASES.items():
        repository, base = (out / folder for folder in (f"rhel{release}/{platform.machine()}", f"system-{release}"))
        for folder in (repository, base):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        packages = [package for version in versions for package in driver(version, release)]
        for version in versions:
            pack([package for package in packages if package["version"] == version], release, repository, signing)
        pack(system(kernel), release, base, signing)
        for folder, file in ((repository, name), (base, "key.pub")):
            (folder / file).write_text(public, encoding="ascii")
            run("createrepo_c", "--quiet", folder)
        if STREAMS[release]:
            described = out / "modules.yaml"
            described.write_text(modules(packages, release), encoding="utf-8")
            run("modifyrepo_c", "--mdtype=modules", described, repository / "repodata")
            described.unlink()
    run("gpgconf", "--kill", "gpg-agent")
    sys.stdout.write(f"built {out}: {' '.join(versions)}, signed by {signing}\n")


if __name__ == "__main__":
    main()
