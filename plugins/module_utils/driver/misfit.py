"""What of the driver the GPUs of a node can run, or why not what is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.version import branch_of
from ansible_collections.gpu.fleet.plugins.module_utils.gpu_generation import FIRST_OPEN_BRANCH, FLAVOURS, OPEN, generation_of


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
        first = max(row.first_branch, FIRST_OPEN_BRANCH if flavour == OPEN else 0)
        if branch < first or (row.last_branch is not None and branch > row.last_branch):
            reach = f"{first} or later" if row.last_branch is None else f"{first} to {row.last_branch}"
            raise Refusal(
                f"driver {version} for a GPU of PCI device id 0x{gpu:04x} ({row.name})",
                f"a branch that knows it with the {flavour} kernel module, which is {reach}",
                "set nvidia_driver_version to such a branch",
            )
