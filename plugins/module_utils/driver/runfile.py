"""NVIDIA's installer as the source of the driver: a file with a checksum, and no packages."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal

_PLACE = re.compile(r"(?:/|https?://)\S+\.run")
_NAME = re.compile(r"NVIDIA-Linux-\w+-(\d{3}\.\d+(?:\.\d+)?)(?:-[\w.-]+)?\.run")
_CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class RunFile:
    """Where the installer is, and what it must be."""

    place: str  # a path on the node, or an address
    checksum: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.place.rsplit("/", maxsplit=1)[-1]

    @property
    def version(self) -> str:
        """The driver's exact version, which NVIDIA has in the file's name."""
        match = _NAME.fullmatch(self.name)
        if not match:
            raise Refusal(f"the installer {self.name}", "a name such as NVIDIA-Linux-x86_64-580.95.05.run", "name it as NVIDIA does")
        return match[1]

    def __post_init__(self) -> None:
        """Refuse a place that is none, and an installer that could be anybody's."""
        if not _PLACE.fullmatch(self.place):
            raise Refusal(
                f"{self.place!r} as NVIDIA's installer", "a path from the root or an http(s) address that ends in .run", "name such a one"
            )
        if not _CHECKSUM.fullmatch(self.checksum):
            raise Refusal(
                f"the checksum {self.checksum!r} for {self.place}",
                "sha256: and 64 hexadecimal digits",
                f"take it from `sha256sum {self.place}`",
            )
