"""The healthy machine around eight GPUs, as data: bare metal, four PCI switches with two GPUs and one InfiniBand adapter each."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import (
    Adapter,
    CdiSpec,
    Clock,
    ContainerEngine,
    FileSystem,
    HugePages,
    Limits,
    PciBridge,
    PciEndpoint,
    PciTopology,
    PendingReboot,
    Port,
    System,
)
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

known = Reading.of
YES, NO = True, False
DRIVER = "570.124.06"
GPU_BUSES = ("1b", "43", "52", "61", "9d", "c3", "d1", "df")
ADAPTER_BUSES = ("18", "50", "9a", "ce")
COUNTERS = {"link_downed": 0, "link_error_recovery": 0, "local_link_integrity_errors": 0, "symbol_error": 0}


def pci_address(bus: str, device: str = "00") -> str:
    return f"00000000:{bus}:{device}.0"


def port(**changes: Any) -> Port:
    good = {
        "number": 1,
        "state": known("ACTIVE"),
        "physical_state": known("LinkUp"),
        "link_layer": known("InfiniBand"),
        "rate": known("400 Gb/sec (4X NDR)"),
        "enabled": Reading.unsupported("this port has no Ethernet interface"),
        "counters": known(dict(COUNTERS)),
    }
    return Port(**{**good, **changes})


def adapter(index: int, *ports: Port, **changes: Any) -> Adapter:
    good = {
        "name": f"mlx5_{index}",
        "pci_address": pci_address(ADAPTER_BUSES[index % 4]),
        "board": known("MT_0000000838"),
        "firmware": known("28.39.1002"),
        "ports": ports or (port(),),
    }
    return Adapter(**{**good, **changes})


def file_system(folder: str, **changes: Any) -> FileSystem:
    good = {"size_mib": 1 << 20, "available_mib": 1 << 19, "inodes_available": known(1_000_000), "read_only": False}
    return FileSystem(**{"folder": folder, **good, **changes})


def engine(**changes: Any) -> ContainerEngine:
    good = {
        "name": "docker",
        "answer": "ok",
        "complaint": "",
        "version": "28.2.2",
        "runtimes": ("io.containerd.runc.v2", "nvidia", "runc"),
        "cdi_folders": ("/etc/cdi", "/var/run/cdi"),
        "image_folders": ("/var/lib/docker",),
        "enabled": True,
    }
    return ContainerEngine(**{**good, **changes})


def cdi_spec(**changes: Any) -> CdiSpec:
    good = {
        "path": "/etc/cdi/nvidia.yaml",
        "devices": (*map(str, range(8)), "all"),
        "device_nodes": tuple(f"/dev/nvidia{minor}" for minor in range(8)),
        "driver_versions": (DRIVER,),
        "missing": (),
    }
    return CdiSpec(**{**good, **changes})


def endpoint(kind: str, index: int, **changes: Any) -> PciEndpoint:
    """Put a GPU, or an adapter, below the switch that it shares with two others; each switch is below a root port of its own."""
    switch = index // 2 if kind == "gpu" else index
    place = {"gpu": f"{1 + index % 2:02x}", "adapter": "03"}[kind]
    good = {
        "address": pci_address(GPU_BUSES[index] if kind == "gpu" else ADAPTER_BUSES[index]),
        "kind": kind,
        "bridges": (pci_address(f"{switch:02x}", "10"), pci_address(f"{switch:02x}", "11"), pci_address(f"{switch:02x}", place)),
        "kernel_driver": known("nvidia" if kind == "gpu" else "mlx5_core"),
        "iommu": Reading.unsupported("no IOMMU"),
    }
    return PciEndpoint(**{**good, **changes})


def topology(acs: int = 0, iommu: str | None = None, **changes: Any) -> PciTopology:
    """Lay the machine out; `acs` is the register of the switches' downstream ports."""
    treated = {"iommu": known(iommu)} if iommu else {}
    endpoints = [*(endpoint("gpu", index, **treated) for index in range(8)), *(endpoint("adapter", index, **treated) for index in range(4))]
    bridges = []
    for switch in range(4):
        kinds = {"10": 4, "11": 5, "01": 6, "02": 6, "03": 6}
        bridges += [PciBridge(pci_address(f"{switch:02x}", at), known(kind), known(acs if kind == 6 else 0)) for at, kind in kinds.items()]
    return PciTopology(**{"endpoints": tuple(endpoints), "bridges": tuple(bridges), **changes})


def system(**changes: Any) -> System:
    healthy: dict[str, Any] = {
        "sees_all_processes": known(YES),
        "virtual_machine": known(NO),
        "processor": known("GenuineIntel"),
        "uptime_s": known(86400.0),
        "kernel_parameters": known(()),
        "cpu_count": known(224),
        "memory_mib": known(2_063_000),
        "hugepages": known(HugePages(0, 0, 2048)),
        "daemons": known({"chronyd": 900, "containerd": 1000, "dockerd": 1100}),
        "limits": known(Limits("containerd", 8 << 20, 1048576)),
        "clock": known(Clock(synchronised=True, largest_error_us=1200)),
        "pending_reboot": known(PendingReboot(required=False, packages=(), newer_kernels_without_module=())),
        "fabric_manager_version": Reading.unsupported("nv-fabricmanager is not installed on this node"),
        "peer_memory": known("nvidia_peermem"),
        "shared_memory": known(file_system("/dev/shm")),
        "container_engine": known(engine()),
        "cdi": known((cdi_spec(),)),
        "image_stores": known((file_system("/var/lib/docker"),)),
        "adapters": known(tuple(adapter(index) for index in range(4))),
        "pci_topology": known(topology()),
    }
    return System(**{**healthy, **changes})
