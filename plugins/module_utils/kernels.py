"""The kernels that are installed on a node: which of them the next boot starts, and which have NVIDIA's module."""

from __future__ import annotations

import re
from pathlib import Path

# The module for CUDA's memory. Not `nvidia-*.ko`: the kernel itself has modules of such names for other devices.
_NVIDIA_MODULE = re.compile(rb"/nvidia-(?:[\w-]+-)?uvm\.ko")


def version_key(kernel: str) -> tuple[int, ...]:
    """Return the numbers of a kernel's version, for comparison: `6.8.0-45-generic` before `6.8.0-100-generic`."""
    return tuple(int(number) for number in re.findall(r"\d+", re.split(r"[-.](?:x86_64|amd64|aarch64|arm64|el\d|fc\d)", kernel)[0]))


def newer_that_boot(root: Path, running: str) -> list[str]:
    """List the kernels that are newer than the running one and can be started, the oldest first; raises OSError."""
    folder = root / "lib/modules"
    names = (entry.name for entry in folder.iterdir()) if folder.exists() else ()
    newer = [name for name in names if version_key(name) > version_key(running) and _can_boot(root, name)]
    return sorted(newer, key=version_key)


def has_nvidia_module(root: Path, kernel: str) -> bool:
    """Tell whether a kernel has it on disk; raises OSError."""
    try:
        return _NVIDIA_MODULE.search((root / "lib/modules" / kernel / "modules.dep").read_bytes()) is not None
    except FileNotFoundError:
        return False


def _can_boot(root: Path, kernel: str) -> bool:
    return (root / "boot" / f"vmlinuz-{kernel}").exists() or (root / "lib/modules" / kernel / "vmlinuz").exists()
