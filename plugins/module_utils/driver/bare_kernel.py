"""A kernel that an installation brings along before the archive has compiled modules for it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal


def refuse_bare_kernel(changes: Sequence[str]) -> None:
    """Refuse a kernel without its module among the lines "Inst NAME ..." of apt: the next boot would start it, and come up without GPUs."""
    names = re.findall(r"^Inst (\S+) ", "\n".join(changes), re.MULTILINE)
    kernels = [match[1] for match in map(re.compile(r"linux-image-(\d\S+)").fullmatch, names) if match]
    for kernel in kernels:
        if not any(name.startswith("linux-modules-nvidia-") and name.endswith(f"-{kernel}") for name in names):
            raise Refusal(
                f"that the driver's packages bring kernel {kernel}, and no package with its compiled module",
                f"linux-modules-nvidia-*-{kernel} in the node's package sources, as a new kernel can come before its modules do",
                "wait for the archive, hold the kernel's package at the former version, or set nvidia_driver_source to nvidia",
            )
