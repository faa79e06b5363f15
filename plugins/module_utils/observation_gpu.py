"""Parts of what was read on one GPU: plain data, no opinion."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading


@dataclass(frozen=True)
class ApplicationClocks:
    """The clocks that a GPU runs at under load, in MHz: those that are set, and those that it comes with."""

    graphics: int
    memory: int
    default_graphics: int
    default_memory: int


@dataclass(frozen=True)
class SpareRows:
    """How many memory banks have how many of their spare rows left, from all (`max`) to `none`."""

    max: int
    high: int
    partial: int
    low: int
    none: int


@dataclass(frozen=True)
class GpuProcess:
    """A process that holds a GPU. `alive` is `unsupported` where this check cannot see the host's processes."""

    pid: int
    name: str
    memory_mib: Reading[int]
    alive: Reading[bool]


@dataclass(frozen=True)
class NvlinkError:
    """What the driver's line of an NVLink 5 error (Xids 144 to 150) says beside its words.

    `info` are those bits of the line's first word that say what happened; the rest of it says where.
    """

    unit: str  # the part of the GPU's NVLink: RLW_REMAP, NETIR_LINK_EVT
    info: int
    status: int  # the line's second word
    links: tuple[int, ...]  # all on which it happened
