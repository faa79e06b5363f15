"""Choose the CUDA variant of the PyTorch 2.7 image for a node, and hold an image's contents against what its name says.

The table is NVIDIA's and PyTorch's: which compute capabilities each build contains code for, the driver that CUDA release came with, and
the oldest driver it runs on (minor-version compatibility).
Sources: PyTorch 2.7 release notes and wheel metadata; CUDA Toolkit release notes, table "CUDA Toolkit and Minimum Required Driver Version".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Version = tuple[int, ...]


class ImpossibleVariant(ValueError):  # noqa: N818  a statement about the node rather than a programming error
    """No variant runs on these GPUs with this driver. Says what was found, what was expected, and the next step."""


@dataclass(frozen=True)
class Variant:
    """One build of PyTorch 2.7."""

    name: str
    cuda: str
    capabilities: tuple[tuple[str, str], ...]  # inclusive ranges; code for X.0 also runs on every later X.y
    paired_driver: str
    oldest_driver: str
    nccl: str

    def runs_on(self, capability: str) -> bool:
        """Whether the build has code for this compute capability."""
        return any(version(low) <= version(capability) <= version(high) for low, high in self.capabilities)

    def covers(self) -> str:
        """Name the compute capabilities."""
        return ", ".join(low if low == high else f"{low} to {high}" for low, high in self.capabilities)


VARIANTS = (
    Variant("cu118", "11.8", (("3.7", "9.0"),), "520.61.05", "450.80.02", "2.21.5"),
    Variant("cu126", "12.6", (("5.0", "9.0"),), "560.28.03", "525.60.13", "2.26.2"),
    Variant("cu128", "12.8", (("7.5", "9.0"), ("10.0", "10.9"), ("12.0", "12.9")), "570.26", "525.60.13", "2.26.2"),
)
# What NCCL, cuDNN and CUDA an image must hold is known for this series.
SERIES = "2.7."
CUDNN_MAJOR = "9"
# From Blackwell on a GPU needs a driver of its time, whatever CUDA's minor-version compatibility allows.
BLACKWELL = "10.0"
BLACKWELL_DRIVER = "570.26"


def version(text: str) -> Version:
    """Turn ``535.261.03`` into ``(535, 261, 3)``, which compares as versions do."""
    return tuple(int(part) for part in text.split("."))


def choose(capabilities: Sequence[str], driver: str, told: str = "auto") -> str:
    """Return the variant for a node's GPUs and driver, or the one that was told if it can run there.

    The newest CUDA series (12 before 11) that the driver can run is taken; within it the newest release that the driver was made for, or,
    for an older driver, the oldest release, which asks the least of it.
    """
    _refuse_old_driver_for_blackwell(capabilities, driver)
    able = [one for one in VARIANTS if all(one.runs_on(capability) for capability in capabilities)]
    runnable = [one for one in able if version(driver) >= version(one.oldest_driver)]
    found = f"found GPUs of compute capability {', '.join(sorted(set(capabilities), key=version))} and driver {driver}"
    if told != "auto":
        wanted = next(one for one in VARIANTS if one.name == told)
        if wanted not in runnable:
            possible = " or ".join(one.name for one in runnable) or "another driver or other GPUs"
            raise ImpossibleVariant(
                f"{found}, expected what pytorch_image_variant: {told} runs on (compute capability {wanted.covers()}, "
                f"driver {wanted.oldest_driver} or later). Next: {possible}, or pytorch_image_variant: auto"
            )
        return told
    if not able:
        builds = "; ".join(f"{one.name}: {one.covers()}" for one in VARIANTS)
        raise ImpossibleVariant(
            f"{found}, expected GPUs that one build of PyTorch 2.7 covers ({builds}). "
            "Next: give such a node an image of its own with pytorch_image_repository and pytorch_image_tag"
        )
    if not runnable:
        oldest = min((one.oldest_driver for one in able), key=version)
        raise ImpossibleVariant(
            f"{found}, expected driver {oldest} or later for {' or '.join(one.name for one in able)}. "
            "Next: set nvidia_driver_version to a newer branch"
        )
    series = max(version(one.cuda)[0] for one in runnable)
    runnable = [one for one in runnable if version(one.cuda)[0] == series]
    paired = [one for one in runnable if version(driver) >= version(one.paired_driver)]
    return (paired[-1] if paired else runnable[0]).name


def _refuse_old_driver_for_blackwell(capabilities: Sequence[str], driver: str) -> None:
    young = [capability for capability in capabilities if version(capability) >= version(BLACKWELL)]
    if young and version(driver) < version(BLACKWELL_DRIVER):
        raise ImpossibleVariant(
            f"found a GPU of compute capability {young[0]} with driver {driver}, expected driver {BLACKWELL_DRIVER} or later "
            "(open kernel modules). Next: set nvidia_driver_version to branch 570 or newer"
        )


def mismatches(found: Mapping[str, Any], torch_version: str, variant: str) -> list[str]:
    """Say where an image's contents differ from what its name promises. An empty list is good."""
    expected: dict[str, str | None] = {"torch": torch_version, "cuda": None}
    if variant != "cpu":
        wanted = next(one for one in VARIANTS if one.name == variant)
        expected["cuda"] = wanted.cuda
        if torch_version.startswith(SERIES):
            expected["nccl"] = wanted.nccl
            expected["cudnn"] = CUDNN_MAJOR
    actual = {
        **found,
        "torch": str(found.get("torch")).split("+", maxsplit=1)[0],
        "cudnn": str(found.get("cudnn")).split(".", maxsplit=1)[0],
    }
    names = {"torch": "PyTorch", "cuda": "CUDA", "nccl": "NCCL", "cudnn": "cuDNN"}
    return [
        f"{names[key]}: found {found.get(key) or 'none'}, expected {value or 'none'}"
        for key, value in expected.items()
        if actual.get(key) != value
    ]
