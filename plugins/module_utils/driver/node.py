"""What of a node decides about its driver's packages."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.driver.installed import Installed, parse_dpkg
from ansible_collections.gpu.fleet.plugins.module_utils.driver.local import output, read


@dataclass(frozen=True)
class Node:
    """The node as it is now."""

    installed: dict[str, Installed]
    kernel: str
    has_headers: bool
    gpus: list[int]  # PCI device ids
    architecture: str = "x86_64"


def look(pci_devices: Path) -> Node:
    """Read the node."""
    here = os.uname()
    return Node(
        installed=parse_dpkg(output("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Abbrev}\n")),
        kernel=here.release,
        has_headers=Path("/lib/modules", here.release, "build").exists(),
        gpus=gpu_ids(pci_devices),
        architecture=here.machine,
    )


def gpu_ids(devices: Path) -> list[int]:
    """Return the PCI device ids of NVIDIA's GPUs; that takes no driver."""
    attributes = [[read(device / name) for name in ("vendor", "class", "device")] for device in sorted(devices.glob("*"))]
    return [int(number, 16) for vendor, kind, number in attributes if vendor == "0x10de" and kind[:6] in {"0x0300", "0x0302"}]


def kernel_kind(kernel: str) -> str:
    """Return what Debian calls kernels of this kind: cloud-amd64 of 6.1.0-56-cloud-amd64."""
    return re.sub(r"^\d+\.\d+[^-]*-(?:[\d.]+(?:deb[\d.]+)?-)?", "", kernel)
