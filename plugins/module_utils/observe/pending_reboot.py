"""Reads what waits for a reboot: the packages' own mark, and newer kernels that would come up without the NVIDIA driver."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import PendingReboot
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

# The module for CUDA's memory. Not `nvidia-*.ko`: the kernel itself has modules of such names for other devices.
_NVIDIA_MODULE = re.compile(rb"/nvidia-(?:[\w-]+-)?uvm\.ko")


def observe(root: Path, running: str) -> Reading[PendingReboot]:
    """Look at the marks of Debian's and Ubuntu's packages, and at the kernels that are installed beside the `running` one."""
    mark = root / "run/reboot-required"
    try:
        required = mark.exists()
        listed = Path(f"{mark}.pkgs")
        packages = sorted(set(listed.read_text(encoding="utf-8", errors="replace").split())) if required and listed.exists() else []
        return Reading.of(PendingReboot(required, tuple(packages), tuple(_newer_without_module(root, running))))
    except OSError as error:
        return Reading.unreadable(f"{error.filename}: {error.strerror}")


def version_key(kernel: str) -> tuple[int, ...]:
    """Return the numbers of a kernel's version, for comparison: `6.8.0-45-generic` before `6.8.0-100-generic`."""
    return tuple(int(number) for number in re.findall(r"\d+", re.split(r"[-.](?:x86_64|amd64|aarch64|arm64|el\d|fc\d)", kernel)[0]))


def _newer_without_module(root: Path, running: str) -> list[str]:
    """Find them; where not even the running kernel has the module on disk (the driver comes in a container), there is nothing to find."""
    folder = root / "lib/modules"
    if not _has_module(folder / running):
        return []
    newer = [kernel.name for kernel in sorted(folder.iterdir()) if version_key(kernel.name) > version_key(running)]
    return [name for name in newer if _can_boot(root, name) and not _has_module(folder / name)]


def _can_boot(root: Path, kernel: str) -> bool:
    return (root / "boot" / f"vmlinuz-{kernel}").exists() or (root / "lib/modules" / kernel / "vmlinuz").exists()


def _has_module(folder: Path) -> bool:
    try:
        return _NVIDIA_MODULE.search((folder / "modules.dep").read_bytes()) is not None
    except FileNotFoundError:
        return False
