"""`nvidia-cdi-hook`: what the OCI runtime runs while it makes a container; the container's state comes on standard input."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

LDCONFIG = "/sbin/ldconfig"
CONF_D = "etc/ld.so.conf.d"
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


def container_root(state: dict[str, str]) -> str:
    """The container's root file system, from the bundle that its state names."""
    with open(os.path.join(state["bundle"], "config.json"), encoding="utf-8") as file:
        root = json.load(file)["root"]["path"]
    return os.path.join(state["bundle"], root)


def create_symlinks(root: str, links: list[str]) -> None:
    """Make each TARGET::PATH as seen from inside; the hook's process ends with it, so it may stay in there."""
    os.chroot(root)
    for link in links:
        target, _, path = link.partition("::")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.lexists(path):
            if os.path.islink(path) and os.readlink(path) == target:
                continue
            os.unlink(path)
        os.symlink(target, path)


def update_ldcache(root: str, folders: list[str], ldconfig: str) -> int:
    """Make the container's loader know the folders, also after a later ldconfig of its own."""
    os.makedirs(os.path.join(root, CONF_D), exist_ok=True)
    with open(os.path.join(root, CONF_D, "00-nvcr-double.conf"), "w", encoding="utf-8") as file:
        file.write("".join(f"{folder}\n" for folder in folders))
    main_file = os.path.join(root, "etc/ld.so.conf")
    if not os.path.exists(main_file):
        with open(main_file, "w", encoding="utf-8") as file:
            file.write(f"include /{CONF_D}/*.conf\n")
    return subprocess.run([ldconfig, "-r", root, "-C", "/etc/ld.so.cache", "-f", "/etc/ld.so.conf"], check=False).returncode
