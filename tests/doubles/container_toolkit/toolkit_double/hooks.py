"""`nvidia-cdi-hook`: what the OCI runtime runs while it makes a container; the container's state comes on standard input."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

LDCONFIG = "/sbin/ldconfig"
CONF_D = "/etc/ld.so.conf.d"
NO_OPERATION = ("enable-cuda-compat", "disable-device-node-modification", "update-application-profile", "chmod", "noop")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="nvidia-cdi-hook", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("create-symlinks").add_argument("--link", action="append", default=[])
    ldcache = commands.add_parser("update-ldcache")
    ldcache.add_argument("--folder", action="append", default=[])
    ldcache.add_argument("--ldconfig-path", default=LDCONFIG)
    for name in NO_OPERATION:
        commands.add_parser(name)
    options, _ = parser.parse_known_args(arguments)
    if options.command in NO_OPERATION:
        return 0
    root = container_root(json.load(sys.stdin))
    if options.command == "create-symlinks":
        create_symlinks(root, options.link)
        return 0
    return update_ldcache(root, options.folder, options.ldconfig_path)


def container_root(state: dict[str, str]) -> Path:
    """The container's root file system, from the bundle that its state names."""
    bundle = Path(state["bundle"])
    config = json.loads((bundle / "config.json").read_text(encoding="utf-8"))
    return bundle / str(config["root"]["path"])


def create_symlinks(root: Path, links: list[str]) -> None:
    """Make each TARGET::PATH as seen from inside; the hook's process ends with it, so it may stay in there."""
    os.chroot(root)
    for link in links:
        target, _, name = link.partition("::")
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(path):
            path.unlink()
        path.symlink_to(target)


def update_ldcache(root: Path, folders: list[str], ldconfig: str) -> int:
    """Make the container's loader know the folders, as the real hook up to 1.18.0: an image without a cache gets none."""
    command = [ldconfig, "-r", str(root), "-f", "/etc/ld.so.conf"]
    command += ["-C", "/etc/ld.so.cache"] if (root / "etc/ld.so.cache").exists() else ["-N"]
    directory = root / CONF_D.lstrip("/")
    if directory.is_dir():
        (directory / "00-nvcr-double.conf").write_text("".join(f"{folder}\n" for folder in folders), encoding="utf-8")
    else:
        command += folders
    return subprocess.run(command, check=False).returncode
