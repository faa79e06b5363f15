"""Reads the NVIDIA kernel module's version and flavour from /proc."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.observation import KernelModule
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

_VERSION = re.compile(r"NVRM version: .*?Kernel Module.*?\s(?P<version>\d+\.\d+(?:\.\d+)?)\b")


def observe(root: Path = Path("/")) -> Reading[KernelModule]:
    """Read the module that is loaded; `unsupported` where this kernel shows none."""
    path = root / "proc/driver/nvidia/version"
    try:
        return parse(path.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        return Reading.unsupported(f"{path} does not exist: no NVIDIA kernel module shows itself here")
    except OSError as error:
        return Reading.unreadable(f"{path}: {error.strerror}")


def parse(text: str) -> Reading[KernelModule]:
    """Read the file's text."""
    found = _VERSION.search(text)
    if not found:
        return Reading.unreadable(f"/proc/driver/nvidia/version: found {text[:80]!r}, expected a line 'NVRM version: ...'")
    flavour = "open" if "Open Kernel Module" in found[0] else "proprietary"
    return Reading.of(KernelModule(found["version"], flavour))
