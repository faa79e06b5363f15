"""What nodes of one kind should have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.compare.items import (
    Item,
    adapter_firmware,
    driver_branch,
    ecc,
    gpu_count,
    links_up,
    on_gpus,
    on_node,
    pytorch,
    system,
    text,
    whole,
)
from ansible_collections.gpu.fleet.plugins.module_utils.report.identity import known

PREFIX = "fleet_"  # of these checks' names: a node's own check of the same name, if there is one, lacks it


@dataclass(frozen=True)
class Trait:
    """Something that is alike on nodes of one kind, or has a reason not to be."""

    name: str
    what: str
    items: Callable[[str, Any], Iterator[Item]]
    advice: str
    own_check: str = ""  # the check that judges the same on the node by itself, perhaps by the inventory
    depends_on: tuple[Callable[[Any], str], ...] = ()  # what else explains that nodes with the same GPUs differ
    at_least: bool = False  # a number of which more is no fault, and which needs a majority of several nodes to mean anything
    unknown_only: bool = False  # of GPUs that the reference table knows, their own node's check is the judge

    @property
    def check(self) -> str:
        """The name of the check."""
        return f"{PREFIX}{self.name}"


TRAITS = (
    Trait(
        "driver",
        "driver",
        on_node("nvml", "driver_version"),
        "run the role gpu.fleet.nvidia_driver on it, or say in the inventory which driver_version it should have",
        own_check="driver_version",
        depends_on=(system,),
    ),
    Trait(
        "kernel_module",
        "kernel module",
        on_node("kernel_module", "flavour"),
        "install the same flavour everywhere (role gpu.fleet.nvidia_driver)",
        own_check="kernel_module",
        depends_on=(system,),
    ),
    Trait("kernel", "kernel", on_node("host", "kernel"), "update and reboot the nodes that lag", depends_on=(system,)),
    Trait(
        "gpu_count",
        "number of GPUs",
        gpu_count,
        "look for the missing ones with lspci -d 10de:, or say in the inventory what gpu_count it should have",
        own_check="gpu_count",
        at_least=True,
    ),
    Trait(
        "vbios",
        "VBIOS",
        on_gpus(lambda gpu: text(known(gpu, "vbios_version"))),
        "bring these GPUs to one VBIOS with the server vendor's firmware update",
        own_check="vbios",
    ),
    Trait(
        "adapter_firmware",
        "firmware of RDMA adapters",
        adapter_firmware,
        "bring the adapters of one board to one firmware (mlxfwmanager)",
        own_check="infiniband_firmware",
    ),
    Trait("ecc_mode", "ECC mode", on_gpus(ecc), "set it with nvidia-smi --ecc-config and reset the GPU"),
    Trait(
        "image",
        "image digest",
        on_node("probe", "image"),
        "pin pytorch_image_digest in the inventory and pull it again",
        depends_on=(system, driver_branch),
    ),
    Trait(
        "pytorch",
        "PyTorch",
        pytorch,
        "run one image everywhere: processes with different NCCL refuse each other",
        own_check="torch_version",
        depends_on=(system, driver_branch),
    ),
    Trait(
        "nvlink",
        "number of NVLinks up",
        on_gpus(links_up),
        "look at nvidia-smi nvlink --status and the kernel log",
        own_check="nvlink",
        at_least=True,
        unknown_only=True,
    ),
    Trait(
        "memory_size",
        "memory in MiB",
        on_gpus(whole("memory_mib")),
        "compare nvidia-smi -q -d MEMORY,ECC of both, and read the kernel log",
        at_least=True,
        unknown_only=True,
    ),
    Trait(
        "pcie_width",
        "number of PCIe lanes",
        on_gpus(whole("pcie_width")),
        "look at lspci -vv for LnkSta, reseat the GPU or its riser",
        own_check="pcie_width",
        at_least=True,
        unknown_only=True,
    ),
)
NAMES = tuple(trait.name for trait in TRAITS)
