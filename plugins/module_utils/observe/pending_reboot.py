"""Reads what waits for a reboot: the packages' own mark, and newer kernels that would come up without the NVIDIA driver."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.kernels import has_nvidia_module, newer_that_boot
from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import PendingReboot
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading


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


def _newer_without_module(root: Path, running: str) -> list[str]:
    """Find them; where not even the running kernel has the module on disk (the driver comes in a container), there is nothing to find."""
    if not has_nvidia_module(root, running):
        return []
    return [kernel for kernel in newer_that_boot(root, running) if not has_nvidia_module(root, kernel)]
