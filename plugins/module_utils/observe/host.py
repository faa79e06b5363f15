"""Reads which machine this is and which kernel it runs."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.observation import Host
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading


def observe(root: Path = Path("/")) -> Host:
    """Read the host's identity."""
    system = os.uname()
    return Host(
        hostname=Reading.of(system.nodename), kernel=Reading.of(system.release), boot_id=_boot_id(root), distribution=_distribution(root)
    )


def _boot_id(root: Path) -> Reading[str]:
    path = root / "proc/sys/kernel/random/boot_id"
    try:
        return Reading.of(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        return Reading.unreadable(f"{path}: {error}")


def _distribution(root: Path) -> Reading[str]:
    """Read which distribution this is, from os-release: lines of NAME=value, the value perhaps in quotes."""
    path = root / "etc/os-release"
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return Reading.unsupported(f"{path} does not exist")
    except OSError as error:
        return Reading.unreadable(f"{path}: {error.strerror}")
    said = {name.strip(): value.strip().strip("\"'") for name, _, value in (line.partition("=") for line in lines)}
    text = f"{said.get('ID', '')} {said.get('VERSION_ID', '')}".strip()
    return Reading.of(text) if text else Reading.unsupported(f"{path} names no distribution")
