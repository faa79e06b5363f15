"""What was read of the machine around the GPUs: plain data, no opinion."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

UNLIMITED = -1


@dataclass(frozen=True)
class HugePages:
    """Huge pages of the default size that are set aside at all times."""

    reserved: int
    free: int
    size_kib: int


@dataclass(frozen=True)
class Limits:
    """What a process may take, and so whatever it starts; -1 is no limit."""

    of: str  # the daemon that starts the containers, else the check itself
    memlock_bytes: int
    open_files: int


@dataclass(frozen=True)
class Clock:
    """The kernel's own opinion of its clock. Without a time daemon that disciplines it, the largest error grows to 16 s."""

    synchronised: bool
    largest_error_us: int


@dataclass(frozen=True)
class PendingReboot:
    """What waits for a reboot: packages that say so, and newer kernels that have no NVIDIA module, although the running one has."""

    required: bool
    packages: tuple[str, ...]
    newer_kernels_without_module: tuple[str, ...]


@dataclass(frozen=True)
class FileSystem:
    """The file system below a folder. Some, such as btrfs, have no fixed number of inodes: that reads as unsupported."""

    folder: str
    size_mib: int
    available_mib: int
    inodes_available: Reading[int]
    read_only: bool


@dataclass(frozen=True)
class Port:
    """A port of an RDMA adapter, as /sys/class/infiniband shows it."""

    number: int
    state: Reading[str]
    physical_state: Reading[str]
    link_layer: Reading[str]
    rate: Reading[str]
    enabled: Reading[bool]  # whether its Ethernet interface is switched on
    counters: Reading[dict[str, int]]


@dataclass(frozen=True)
class Adapter:
    """An RDMA adapter (InfiniBand, RoCE and their like)."""

    name: str
    pci_address: str
    board: Reading[str]
    firmware: Reading[str]
    ports: tuple[Port, ...]


@dataclass(frozen=True)
class PciEndpoint:
    """A GPU or an RDMA adapter, and the bridges between it and the processor, the processor's first."""

    address: str
    kind: str  # gpu or adapter
    bridges: tuple[str, ...]
    kernel_driver: Reading[str]
    iommu: Reading[str]  # how the IOMMU treats it: identity, DMA, DMA-FQ; unsupported without an IOMMU


@dataclass(frozen=True)
class PciBridge:
    """A PCI Express port. `acs` is its access control register."""

    address: str
    port_type: Reading[int]  # 4 root port, 5 a switch's upstream port, 6 a switch's downstream port
    acs: Reading[int]


@dataclass(frozen=True)
class PciTopology:
    """How GPUs and RDMA adapters hang together."""

    endpoints: tuple[PciEndpoint, ...]
    bridges: tuple[PciBridge, ...]


@dataclass(frozen=True)
class ContainerEngine:
    """The container engine. `answer` is `ok`, `forbidden`, `not running`, `no answer` or, of an engine without a daemon, `not asked`."""

    name: str
    answer: str
    complaint: str
    version: str
    runtimes: tuple[str, ...]
    cdi_folders: tuple[str, ...]  # empty: this engine does not do CDI
    image_folders: tuple[str, ...]
    enabled: bool  # whether it is to be started at boot


@dataclass(frozen=True)
class CdiSpec:
    """A CDI specification of NVIDIA's GPUs. `missing` is what it names and this node does not have."""

    path: str
    devices: tuple[str, ...]
    device_nodes: tuple[str, ...]
    driver_versions: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class System:
    """The machine around the GPUs."""

    sees_all_processes: Reading[bool]  # False in a container
    virtual_machine: Reading[bool]
    processor: Reading[str]  # its maker, as /proc/cpuinfo names it; unsupported where that names none (Arm)
    uptime_s: Reading[float]
    kernel_parameters: Reading[tuple[str, ...]]  # those of the command line that bear on GPUs, memory and processors
    cpu_count: Reading[int]
    memory_mib: Reading[int]
    hugepages: Reading[HugePages]
    daemons: Reading[dict[str, int]]  # those that matter here and run, with their process
    limits: Reading[Limits]
    clock: Reading[Clock]
    pending_reboot: Reading[PendingReboot]
    fabric_manager_version: Reading[str]
    peer_memory: Reading[str]  # the loaded module that lets adapters reach the GPUs' memory
    shared_memory: Reading[FileSystem]
    container_engine: Reading[ContainerEngine]
    cdi: Reading[tuple[CdiSpec, ...]]
    image_stores: Reading[tuple[FileSystem, ...]]
    adapters: Reading[tuple[Adapter, ...]]
    pci_topology: Reading[PciTopology]
