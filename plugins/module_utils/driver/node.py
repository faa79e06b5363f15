"""What of a node decides about its driver's packages."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.driver.installed import Installed
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.secure_boot import SecureBoot
from ansible_collections.gpu.fleet.plugins.module_utils.kernels import newer_that_boot
from ansible_collections.gpu.fleet.plugins.module_utils.observe import pci


@dataclass(frozen=True)
class Node:
    """The node as it is now."""

    installed: dict[str, Installed]
    kernels: tuple[str, ...]  # for which it has the module: the running one, and the one that the next boot starts where that is another
    with_headers: frozenset[str] = frozenset()  # of these kernels
    gpus: tuple[int, ...] = ()  # PCI device ids
    fabric: str = "none"
    architecture: str = "x86_64"
    secure_boot: SecureBoot = field(default_factory=SecureBoot)

    def bare(self) -> Node:
        """Return a node of its kind that has nothing but its kernels."""
        kernels = {name: package for name, package in self.installed.items() if name.startswith("linux-image-")}
        return replace(self, installed=kernels, with_headers=frozenset())

    @property
    def kernel_kind(self) -> str:
        """What the distribution calls kernels of the running one's kind."""
        return kernel_kind(self.kernels[0], self.installed)


def look(root: Path, installed: dict[str, Installed], kernels: tuple[str, ...] = ()) -> Node:
    """Read the node, with what its kernels are where they are not those that it runs and boots next."""
    here = os.uname()
    kernels = kernels or tuple(dict.fromkeys([here.release, *newer_that_boot(root, here.release)[-1:]]))
    bus = pci.observe(root)
    if not bus.is_known:
        raise Refusal(f"a PCI bus that cannot be read ({bus.why})", "to see the GPUs on it", "repair what it names and run again")
    return Node(
        installed=installed,
        kernels=kernels,
        with_headers=frozenset(kernel for kernel in kernels if (root / "lib/modules" / kernel / "build").exists()),
        gpus=tuple(int(gpu.device_id, 16) for gpu in bus.value.gpus),
        fabric="nvswitch" if bus.value.nvswitches else "nvlink5" if _manages_switches(root) else "none",
        architecture=here.machine,
        secure_boot=SecureBoot.read(root),
    )


def _manages_switches(root: Path) -> bool:
    """Tell whether the node manages NVSwitches of NVLink 5: they are no PCI devices, but a network adapter's product data name them."""
    for product_data in (root / "sys/class/infiniband").glob("*/device/vpd"):
        try:
            if b"SW_MNG" in product_data.read_bytes():
                return True
        except OSError:  # an adapter that has none
            continue
    return False


def kernel_kind(kernel: str, installed: Iterable[str] = ()) -> str:
    """Return what the distribution calls kernels of this kind: cloud-amd64 of 6.1.0-56-cloud-amd64, generic-hwe-22.04 of 6.8.0-60-generic.

    Ubuntu has two lines of kernels whose names are alike, and the package that brings the next one tells which a node follows.
    """
    kind = re.sub(r"^\d+\.\d+[^-]*-(?:[\d.]+(?:deb[\d.]+)?-)?", "", kernel)
    follows = re.compile(rf"linux-image-({re.escape(kind)}-hwe-[\d.]+)")
    return next((match[1] for match in map(follows.fullmatch, sorted(installed)) if match), kind)
