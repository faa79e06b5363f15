"""Which kernel module and which driver a GPU can run, by its PCI device id: that is known before any driver is there.

NVIDIA's device ids rise from generation to generation, and each row holds up to the next one's first id.
Sources: NVIDIA, "NVIDIA Transitions Fully Towards Open-Source GPU Kernel Modules" (flavours; 515 as the first open branch); the supported
GPUs of NVIDIA's open-gpu-kernel-modules (ids); CUDA Toolkit release notes (the driver that came with the first CUDA for a generation);
NVIDIA's deprecation schedule for UNIX drivers (last branches).
"""

from __future__ import annotations

from dataclasses import dataclass

OPEN, PROPRIETARY = "open", "proprietary"
FLAVOURS = (OPEN, PROPRIETARY)  # the recommended one first
FIRST_OPEN_BRANCH = 515


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
