"""A healthy node with eight H100, as data; tests change what they are about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import parse
from ansible_collections.gpu.fleet.plugins.module_utils.finding import Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.checks import judge
from ansible_collections.gpu.fleet.plugins.module_utils.observation import (
    Fabric,
    Gpu,
    Host,
    Identity,
    KernelLog,
    Nvml,
    Observation,
    PciBus,
    PciDevice,
    RemappedRows,
    Snapshot,
    XidEvent,
)
from ansible_collections.gpu.fleet.plugins.module_utils.observation_gpu import ApplicationClocks, SpareRows
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from ansible_collections.gpu.fleet.plugins.module_utils.tables import TABLES as TABLE_FILES
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables, load
from ansible_collections.gpu.fleet.plugins.module_utils.verdict import verdict
from unit.module_utils.healthy_probe import H100, probe
from unit.module_utils.healthy_system import system

FILES = Path(__file__).parents[3] / "roles" / "gpu_readiness" / "files"
TABLES: Tables = load(*((FILES / name).read_text() for name in TABLE_FILES))

BUSES = ("1b", "43", "52", "61", "9d", "c3", "d1", "df")
YES, NO = True, False
ECC_COUNTERS = tuple(
    f"{period}_{kind}_{place}"
    for period in ("volatile", "aggregate")
    for kind in ("corrected", "uncorrected")
    for place in ("dram", "sram")
)

known = Reading.of
absent: Reading[Any] = Reading.unsupported("not on this GPU")
broken: Reading[Any] = Reading.unreadable("Unknown Error")


def address(index: int) -> str:
    return f"00000000:{BUSES[index]}:00.0"


def gpu(index: int, **changes: Any) -> Gpu:
    healthy = {
        "state": known("answers"),
        "pci_bus_id": known(address(index)),
        "uuid": known(f"GPU-{index}"),
        "name": known(H100),
        "pci_device_id": known("2330"),
        "serial": known(f"165{index}"),
        "minor_number": known(index),
        "vbios_version": known("96.00.5E.00.01"),
        "memory_mib": known(81559),
        "persistence_mode": known(YES),
        "ecc_enabled": known(YES),
        "ecc_volatile_uncorrected": known(0),
        "ecc_aggregate_uncorrected": known(0),
        "ecc_volatile_corrected": known(0),
        "ecc_aggregate_corrected": known(0),
        "remapped_rows": known(RemappedRows(0, 0, pending=False, failure=False)),
        "retired_pages": absent,
        "recovery_action": known(0),
        "nvlinks": known({str(link): True for link in range(18)}),
        "fabric": known(Fabric(3, 0, 0)),
        "pcie_width": known(16),
        "pcie_width_max": known(16),
        "pcie_generation_max": known(5),
        "clock_event_reasons": known(1),
        "temperature_c": known(34),
        "temperature_slowdown_c": known(89),
        "temperature_margin_c": known(53),
        "mig_enabled": known(NO),
        "power_limit_w": known(700.0),
        "ecc_errors": known(dict.fromkeys(ECC_COUNTERS, 0)),
        "sram_threshold_exceeded": known(NO),
        "remap_availability": known(SpareRows(2560, 0, 0, 0, 0)),
        "inforom_valid": known(YES),
        "nvlink_errors": known({str(link): dict.fromkeys(("replay", "recovery", "crc_flit", "crc_data"), 0) for link in range(18)}),
        "utilization_percent": known(0),
        "pcie_generation": known(5),
        "pcie_generation_device_max": known(5),
        "pcie_replays": known(0),
        "application_clocks": known(ApplicationClocks(1980, 2619, 1980, 2619)),
        "memory_temperature_c": known(42),
        "memory_temperature_max_c": known(95),
        "mig_pending": known(NO),
        "mig_devices": known(0),
        "compute_mode": known(0),
        "processes": known(()),
        "power_limit_enforced_w": known(700.0),
        "power_limit_default_w": known(700.0),
    }
    return Gpu(index=index, **{**healthy, **changes})


def pci_device(index: int, **changes: Any) -> PciDevice:
    return PciDevice(**{"address": address(index), "device_id": "2330", "link_width": known(16), "link_width_max": known(16), **changes})


def observation(**changes: Any) -> Observation:
    """Make a healthy observation; `gpus` is a dictionary of index to the changes of one GPU, or to None for one that NVML lacks."""
    per_gpu = changes.pop("gpus", {})
    gpus = tuple(gpu(index, **(per_gpu.get(index) or {})) for index in range(8) if per_gpu.get(index, {}) is not None)
    nvml = Nvml(
        status=known("SUCCESS"),
        driver_version=known("570.124.06"),
        library_path=known("/usr/lib/libnvidia-ml.so.570.124.06"),
        library_version=known("570.124.06"),
        gpus=known(gpus),
        cuda_version=known("12.8"),
    )
    healthy: dict[str, Any] = {
        "schema": 1,
        "measured_at": "2026-01-01T00:00:00Z",
        "host": Host(known("node1"), known("6.1.0"), known("b00t"), known("debian 12")),
        "kernel_module": Reading.unsupported("/proc/driver/nvidia/version does not exist"),
        "pci": known(PciBus(tuple(pci_device(index) for index in range(8)), ())),
        "nvml": replace(nvml, **changes.pop("nvml", {})),
        "device_nodes": known(tuple(range(8))),
        "kernel_log": known(log()),
        "probe": known(probe()),
        "previous": Reading.unsupported("this is the first check"),
        "system": system(**changes.pop("system", {})),
    }
    return Observation(**{**healthy, **changes})


def log(*events: XidEvent, not_understood: tuple[str, ...] = ()) -> KernelLog:
    return KernelLog("/dev/kmsg", 0.0, events, not_understood)


def snapshot(**changes: Any) -> Snapshot:
    """Make what the history holds of a check of this healthy node, an hour earlier and in the same boot."""
    healthy: dict[str, Any] = {
        "measured_at": "2025-12-31T23:00:00Z",
        "boot_id": "b00t",
        "driver_version": "570.124.06",
        "counters": {},
        "identities": {address(index): Identity(f"GPU-{index}", f"165{index}", "96.00.5E.00.01", H100) for index in range(8)},
        "last_error_s": {},
        "recovery_asked": (),
        "recoveries": (),
    }
    return Snapshot(**{**healthy, **changes})


def xid(code: int, text: str = "", index: int = 3, severity: str = "", source: str = "xid") -> XidEvent:
    return XidEvent(source, address(index), code, severity, text, 1, 10.0, 10.0, Reading.unsupported("no NVLink 5 error"))


def judged(seen: Observation, expectation: dict[str, Any] | None = None, *, active: bool = True) -> tuple[list[Finding], str]:
    """Judge it as the module does: the findings, and the verdict."""
    findings = judge(seen, parse(expectation or {}), TABLES, active=active)
    return findings, verdict(findings)
