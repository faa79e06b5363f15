"""What was read on one node: plain data, no opinion. Whatever could fail to be read is a `Reading`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.gpu.fleet.plugins.module_utils.observation_gpu import ApplicationClocks, GpuProcess, NvlinkError, SpareRows
from ansible_collections.gpu.fleet.plugins.module_utils.observation_probe import Probe
from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import System
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

SCHEMA = 1

_PCI_ID = re.compile(r"(?:(?P<domain>[0-9a-f]{4,8}):)?(?P<bus>[0-9a-f]{2}):(?P<device>[0-9a-f]{2})(?:\.(?P<function>[0-7]))?$")


def pci_id(text: str) -> str:
    """Write a PCI address in one form, `00000000:1b:00.0`; NVML, sysfs and the kernel log each use another."""
    found = _PCI_ID.search(text.strip().lower())
    if not found:
        raise ValueError(f"found {text!r}, expected a PCI address such as 0000:1b:00.0")
    return f"{int(found['domain'] or '0', 16):08x}:{found['bus']}:{found['device']}.{found['function'] or '0'}"


def is_pci_id(text: str) -> bool:
    """Say whether `pci_id` can read this."""
    return _PCI_ID.search(text.strip().lower()) is not None


@dataclass(frozen=True)
class Host:
    """The machine and its kernel."""

    hostname: Reading[str]
    kernel: Reading[str]
    boot_id: Reading[str]
    distribution: Reading[str]  # with its version, such as debian 12


@dataclass(frozen=True)
class KernelModule:
    """The NVIDIA kernel module as /proc shows it; `flavour` is `open` or `proprietary`."""

    version: str
    flavour: str


@dataclass(frozen=True)
class PciDevice:
    """An NVIDIA device on the PCI bus."""

    address: str
    device_id: str
    link_width: Reading[int]
    link_width_max: Reading[int]


@dataclass(frozen=True)
class PciBus:
    """NVIDIA's devices on the PCI bus, by kind."""

    gpus: tuple[PciDevice, ...]
    nvswitches: tuple[PciDevice, ...]


@dataclass(frozen=True)
class XidEvent:
    """One kind of error that the driver reported for one device in this boot, with how often."""

    source: str  # xid (a GPU) or sxid (an NVSwitch)
    pci_id: str
    code: int
    severity: str  # fatal, non-fatal, or empty where the line does not say
    text: str  # of the last one
    count: int
    first_s: float
    last_s: float
    nvlink: Reading[NvlinkError]  # of Xids 144 to 150


@dataclass(frozen=True)
class KernelLog:
    """What the driver wrote to the kernel log of this boot."""

    origin: str
    since_s: float
    events: tuple[XidEvent, ...]
    not_understood: tuple[str, ...]


@dataclass(frozen=True)
class RemappedRows:
    """Memory rows replaced by spare ones."""

    correctable: int
    uncorrectable: int
    pending: bool
    failure: bool


@dataclass(frozen=True)
class RetiredPages:
    """Memory pages taken out of use (GPUs before Ampere)."""

    single_bit: int
    double_bit: int
    pending: bool


@dataclass(frozen=True)
class Fabric:
    """A GPU's registration with the NVSwitch fabric, in nvml.h's numbers. Of its health, 0 is what the driver does not tell."""

    state: int
    status: int
    health_mask: int
    health_summary: int = 0


@dataclass(frozen=True)
class Gpu:
    """One GPU as NVML sees it. `state` is `answers`, `lost`, or why else it does not."""

    index: int
    state: Reading[str]
    pci_bus_id: Reading[str]
    uuid: Reading[str]
    name: Reading[str]
    pci_device_id: Reading[str]
    serial: Reading[str]
    minor_number: Reading[int]
    vbios_version: Reading[str]
    memory_mib: Reading[int]
    persistence_mode: Reading[bool]
    ecc_enabled: Reading[bool]
    ecc_volatile_uncorrected: Reading[int]
    ecc_aggregate_uncorrected: Reading[int]
    ecc_volatile_corrected: Reading[int]
    ecc_aggregate_corrected: Reading[int]
    remapped_rows: Reading[RemappedRows]
    retired_pages: Reading[RetiredPages]
    recovery_action: Reading[int]
    nvlinks: Reading[dict[str, bool]]
    fabric: Reading[Fabric]
    pcie_width: Reading[int]
    pcie_width_max: Reading[int]
    pcie_generation_max: Reading[int]
    clock_event_reasons: Reading[int]
    temperature_c: Reading[int]
    temperature_slowdown_c: Reading[int]
    temperature_margin_c: Reading[int]
    mig_enabled: Reading[bool]
    power_limit_w: Reading[float]
    ecc_errors: Reading[dict[str, int]]  # by period, kind and memory: `volatile_uncorrected_sram`
    sram_threshold_exceeded: Reading[bool]
    remap_availability: Reading[SpareRows]
    inforom_valid: Reading[bool]
    nvlink_errors: Reading[dict[str, dict[str, int]]]  # by link, then by kind
    utilization_percent: Reading[int]
    pcie_generation: Reading[int]
    pcie_generation_device_max: Reading[int]
    pcie_replays: Reading[int]
    application_clocks: Reading[ApplicationClocks]
    memory_temperature_c: Reading[int]
    memory_temperature_max_c: Reading[int]
    mig_pending: Reading[bool]
    compute_mode: Reading[int]
    processes: Reading[tuple[GpuProcess, ...]]
    power_limit_enforced_w: Reading[float]
    power_limit_default_w: Reading[float]
    mig_devices: Reading[int]

    @property
    def in_slices(self) -> bool:
        """Whether MIG is on: much is then told of the GPU's slices only, or not at all."""
        return self.mig_enabled.is_known and self.mig_enabled.value


@dataclass(frozen=True)
class Nvml:
    """What the NVML library said. `status` is SUCCESS or NVML's own name for why it would not start."""

    status: Reading[str]
    driver_version: Reading[str]
    library_path: Reading[str]
    library_version: Reading[str]
    gpus: Reading[tuple[Gpu, ...]]
    cuda_version: Reading[str]  # the newest that this driver knows


@dataclass(frozen=True)
class Identity:
    """Which GPU it is; what was not told is empty."""

    uuid: str
    serial: str
    vbios: str
    name: str


@dataclass(frozen=True)
class Recovery:
    """A device was recovered: errors of that boot, up to that time of the kernel log, are dealt with."""

    boot_id: str
    pci_id: str
    until_s: float


@dataclass(frozen=True)
class Snapshot:
    """The last check of this node. What was not known then is absent or empty."""

    measured_at: str  # UTC
    boot_id: str
    driver_version: str
    counters: dict[str, dict[str, int]]  # by GPU (its UUID), link (`UUID/nvlink3`) or port (`mlx5_0/1`)
    identities: dict[str, Identity]  # by PCI address
    last_error_s: dict[str, float]  # by PCI address: the newest Xid or SXid of that boot, in seconds of the kernel log
    recovery_asked: tuple[str, ...]  # PCI addresses of GPUs for which the driver asked for a reset or a reboot
    recoveries: tuple[Recovery, ...]


@dataclass(frozen=True)
class Observation:
    """Everything read on one node at one time."""

    schema: int
    measured_at: str
    host: Host
    kernel_module: Reading[KernelModule]
    pci: Reading[PciBus]
    nvml: Nvml
    device_nodes: Reading[tuple[int, ...]]
    kernel_log: Reading[KernelLog]
    probe: Reading[Probe]
    previous: Reading[Snapshot]  # what this node's history holds of the check before; `unsupported` where there was none
    system: System
