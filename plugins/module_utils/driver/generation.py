"""Which kernel module and which driver a GPU can run, by its PCI device id: that is known before any driver is there.

NVIDIA's device ids rise from generation to generation, and each row holds up to the next one's first id.
Sources: NVIDIA, "NVIDIA Transitions Fully Towards Open-Source GPU Kernel Modules" (flavours; 515 as the first open branch); the supported
GPUs of NVIDIA's open-gpu-kernel-modules (ids); CUDA Toolkit release notes (the driver that came with the first CUDA for a generation);
NVIDIA's deprecation schedule for UNIX drivers (last branches).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.version import branch_of

OPEN, PROPRIETARY = "open", "proprietary"
FLAVOURS = (OPEN, PROPRIETARY)  # the recommended one first
_FIRST_OPEN_BRANCH = 515


@dataclass(frozen=True)
class Generation:
    """GPUs that run the same drivers."""

    name: str
    first_id: int
    flavours: tuple[str, ...]
    first_branch: int
    last_branch: int | None = None  # None: the newest knows them too


GENERATIONS = (
    Generation("older than Maxwell", 0x0000, (PROPRIETARY,), 0, 470),
    Generation("Maxwell, Pascal or Volta", 0x1340, (PROPRIETARY,), 384, 580),
    Generation("Turing or Ampere", 0x1E00, FLAVOURS, 450),
    Generation("Hopper", 0x2300, FLAVOURS, 520),
    Generation("Grace Hopper", 0x2340, (OPEN,), 520),
    Generation("Ampere", 0x2350, FLAVOURS, 450),
    Generation("Ada", 0x2680, FLAVOURS, 520),
    Generation("Blackwell or later", 0x2900, (OPEN,), 570),
)


def generation_of(device_id: int) -> Generation:
    """Return the row of a GPU."""
    return next(row for row in reversed(GENERATIONS) if row.first_id <= device_id)


def flavours(asked: str, gpus: Sequence[int]) -> list[str]:
    """Return the flavours of the kernel module that are asked for and that all GPUs can run, the recommended one first."""
    if asked not in ("auto", *FLAVOURS):
        raise Refusal(f"the kernel module flavour {asked!r}", f"auto, {' or '.join(FLAVOURS)}", "set nvidia_driver_kernel_module_flavour")
    fitting = [flavour for flavour in FLAVOURS if all(flavour in generation_of(gpu).flavours for gpu in gpus)]
    chosen = [flavour for flavour in fitting if asked in {"auto", flavour}]
    if not chosen:
        raise Refusal(
            f"GPUs of PCI device id {', '.join(f'0x{gpu:04x}' for gpu in sorted(set(gpus)))}, "
            f"which work with {' or '.join(fitting) or 'no common'} kernel module",
            f"them to work with nvidia_driver_kernel_module_flavour {asked!r}",
            "set it to auto" if fitting else "part these GPUs, since all of a node share one kernel module",
        )
    return chosen


def refuse_misfit(gpus: Sequence[int], flavour: str, version: str) -> None:
    """Refuse a version of the driver that is too old or too new for the GPUs or for this flavour of the kernel module."""
    branch = branch_of(version)
    flavours(flavour, gpus)
    for gpu in sorted(set(gpus)):
        row = generation_of(gpu)
        first = max(row.first_branch, _FIRST_OPEN_BRANCH if flavour == OPEN else 0)
        if branch < first or (row.last_branch is not None and branch > row.last_branch):
            reach = f"{first} or later" if row.last_branch is None else f"{first} to {row.last_branch}"
            raise Refusal(
                f"driver {version} for a GPU of PCI device id 0x{gpu:04x} ({row.name})",
                f"a branch that knows it with the {flavour} kernel module, which is {reach}",
                "set nvidia_driver_version to such a branch",
            )
