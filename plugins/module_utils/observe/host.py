"""Reads which machine this is and which kernel it runs."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.observation import Host
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading


def observe(root: Path = Path("/")) -> Host:
    """Read the host's identity."""
    system = os.uname()
    return Host(hostname=Reading.of(system.nodename), kernel=Reading.of(system.release), boot_id=_boot_id(root))


def _boot_id(root: Path) -> Reading[str]:
    path = root / "proc/sys/kernel/random/boot_id"
    try:
        return Reading.of(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        return Reading.unreadable(f"{path}: {error}")
