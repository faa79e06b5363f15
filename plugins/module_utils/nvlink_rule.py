"""The rules of NVIDIA's sheet for NVLink 5 errors (Xids 144 to 150): which error of the log one means, and what it says of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.gpu.fleet.plugins.module_utils.observation_gpu import NvlinkError

_PATTERN = re.compile(r"[01-]{32}")


@dataclass(frozen=True)
class Bits:
    """A pattern of a word: the bits of `mask` have to be as in `value`."""

    mask: int
    value: int

    @classmethod
    def read(cls, cell: str) -> Bits:
        """Read 32 characters, highest bit first: 0, 1, and - for any."""
        if not _PATTERN.fullmatch(cell):
            raise ValueError(f"found {cell!r}, expected 32 bits, each of them 0, 1 or -")
        return cls(int(cell.replace("0", "1").replace("-", "0"), 2), int(cell.replace("-", "0"), 2))

    def fit(self, word: int) -> bool:
        """Say whether a word has these bits."""
        return word & self.mask == self.value


@dataclass(frozen=True)
class NvlinkRule:
    """One row. Drivers before 575 arrange the line's first word in another way, and call some units by another name."""

    xid: int
    unit: tuple[str, ...]
    info_before_575: Bits
    info_from_575: Bits
    error_status: int | None  # None: any
    severity: str  # fatal (for the GPU), link-fatal, non-fatal
    blames: str
    action: str
    kills_job: bool
    nvidia_immediate_action: str
    nvidia_investigatory_action: str
    source: str

    def means(self, code: int, severity: str, error: NvlinkError) -> bool:
        """Say whether it is about this error. What the driver itself calls fatal, no rule for a lesser one explains."""
        return (
            code == self.xid
            and error.unit in self.unit
            and (self.info_before_575.fit(error.info) or self.info_from_575.fit(error.info))
            and self.error_status in (None, error.status)
            and not (severity == "fatal" and self.severity == "non-fatal")
        )
