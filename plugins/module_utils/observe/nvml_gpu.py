"""What NVML is asked about one GPU: a table of readings, and how each is had from the bindings."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.observation import pci_id
from ansible_collections.gpu.fleet.plugins.module_utils.observation_gpu import ApplicationClocks
from ansible_collections.gpu.fleet.plugins.module_utils.observe import nvml_links, nvml_memory, nvml_mig, nvml_process
from ansible_collections.gpu.fleet.plugins.module_utils.observe.nvml_call import (
    CORRUPTED_INFOROM,
    NO_SUCH_THING,
    AbsentError,
    fields,
    first,
    temperature,
)

_FIELD_MEMORY_TEMPERATURE, _FIELD_RECOVERY_ACTION = 82, 230
_SLOWDOWN, _MEMORY_MAX = 1, 2  # nvmlTemperatureThresholds_t
_GRAPHICS, _MEMORY = 0, 2  # nvmlClockType_t
_HW_SLOWDOWN = 0x8
_SECOND_LOOK_S = 0.05
_ALL_ONES = 255


def _pci_bus_id(nvml: Any, handle: Any) -> str:
    address = nvml.nvmlDeviceGetPciInfo(handle).busId
    return pci_id(address.decode() if isinstance(address, bytes) else address)


def _recovery_action(nvml: Any, handle: Any) -> int:
    (action,) = fields(nvml, handle, [_FIELD_RECOVERY_ACTION])
    if action is None:
        raise AbsentError("NVML: this driver does not tell a GPU's recovery action (570 and later do)")
    return action


def _inforom_valid(nvml: Any, handle: Any) -> bool:
    """Have the checksums of the GPU's own configuration memory verified."""
    try:
        nvml.nvmlDeviceValidateInforom(handle)
    except nvml.NVMLError as error:
        if error.value != CORRUPTED_INFOROM:
            raise
        return False
    return True


def _memory_temperature(nvml: Any, handle: Any) -> int:
    (told,) = fields(nvml, handle, [_FIELD_MEMORY_TEMPERATURE])
    if not told:  # some GPUs without such a sensor tell 0
        raise AbsentError("NVML: this GPU does not tell its memory's temperature")
    return told


def _clock_event_reasons(nvml: Any, handle: Any) -> int:
    """Read what holds the clocks down. A slowdown is looked at again: nvml.h says that one is also reported while clocks change."""
    names = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")
    calls = [(name, (handle,)) for name in names]
    reasons = int(first(nvml, *calls))
    if reasons & _HW_SLOWDOWN:
        time.sleep(_SECOND_LOOK_S)
        reasons &= int(first(nvml, *calls))
    return reasons


def _told(value: float) -> Any:
    """Refuse the 0 that stands for a figure (a width, a generation, watts) that is not known."""
    if value == 0:
        raise ValueError("NVML told 0, which no working GPU has")
    return value


def _link(value: int) -> Any:
    """Refuse what is no PCIe width or generation: 0, and the byte of ones that a device without an answer gives."""
    if value >= _ALL_ONES:
        raise ValueError(f"NVML told {value}, which no PCIe link has")
    return _told(value)


def _threshold(nvml: Any, handle: Any, which: int) -> int:
    told = int(nvml.nvmlDeviceGetTemperatureThreshold(handle, which))
    if told == 0:
        raise AbsentError("NVML: this GPU does not tell this threshold (it told 0)")
    return told


def _application_clocks(nvml: Any, handle: Any) -> ApplicationClocks:
    return ApplicationClocks(
        nvml.nvmlDeviceGetApplicationsClock(handle, _GRAPHICS),
        nvml.nvmlDeviceGetApplicationsClock(handle, _MEMORY),
        nvml.nvmlDeviceGetDefaultApplicationsClock(handle, _GRAPHICS),
        nvml.nvmlDeviceGetDefaultApplicationsClock(handle, _MEMORY),
    )


def _compute_mode(nvml: Any, handle: Any) -> int:
    try:
        return int(nvml.nvmlDeviceGetComputeMode(handle))
    except nvml.NVMLError as error:
        if error.value in NO_SUCH_THING:  # nvml.h: where MIG is on, only its slices have one
            raise AbsentError("NVML: this GPU has no compute mode of its own") from error
        raise


# In the order in which they are read: identity first, so that a GPU that hangs later has its name.
READERS: dict[str, Callable[[Any, Any], Any]] = {
    "pci_bus_id": _pci_bus_id,
    "uuid": lambda nvml, gpu: nvml.nvmlDeviceGetUUID(gpu),
    "name": lambda nvml, gpu: nvml.nvmlDeviceGetName(gpu),
    "pci_device_id": lambda nvml, gpu: f"{nvml.nvmlDeviceGetPciInfo(gpu).pciDeviceId >> 16:04x}",
    "serial": lambda nvml, gpu: nvml.nvmlDeviceGetSerial(gpu),
    "minor_number": lambda nvml, gpu: nvml.nvmlDeviceGetMinorNumber(gpu),
    "vbios_version": lambda nvml, gpu: nvml.nvmlDeviceGetVbiosVersion(gpu),
    "memory_mib": lambda nvml, gpu: int(nvml.nvmlDeviceGetMemoryInfo(gpu).total) >> 20,
    "persistence_mode": lambda nvml, gpu: bool(nvml.nvmlDeviceGetPersistenceMode(gpu)),
    "ecc_enabled": lambda nvml, gpu: bool(nvml.nvmlDeviceGetEccMode(gpu)[0]),
    "ecc_volatile_uncorrected": lambda nvml, gpu: nvml_memory.total_ecc_errors(nvml, gpu, "uncorrected", "volatile"),
    "ecc_aggregate_uncorrected": lambda nvml, gpu: nvml_memory.total_ecc_errors(nvml, gpu, "uncorrected", "aggregate"),
    "ecc_volatile_corrected": lambda nvml, gpu: nvml_memory.total_ecc_errors(nvml, gpu, "corrected", "volatile"),
    "ecc_aggregate_corrected": lambda nvml, gpu: nvml_memory.total_ecc_errors(nvml, gpu, "corrected", "aggregate"),
    "ecc_errors": nvml_memory.ecc_errors,
    "sram_threshold_exceeded": nvml_memory.sram_threshold_exceeded,
    "remapped_rows": nvml_memory.remapped_rows,
    "remap_availability": nvml_memory.remap_availability,
    "retired_pages": nvml_memory.retired_pages,
    "recovery_action": _recovery_action,
    "inforom_valid": _inforom_valid,
    "nvlinks": nvml_links.states,
    "nvlink_errors": nvml_links.errors,
    "fabric": nvml_links.fabric,
    "pcie_width": lambda nvml, gpu: _link(nvml.nvmlDeviceGetCurrPcieLinkWidth(gpu)),
    "pcie_width_max": lambda nvml, gpu: _link(nvml.nvmlDeviceGetMaxPcieLinkWidth(gpu)),
    "utilization_percent": lambda nvml, gpu: int(nvml.nvmlDeviceGetUtilizationRates(gpu).gpu),
    "clock_event_reasons": _clock_event_reasons,
    "pcie_generation": lambda nvml, gpu: _link(nvml.nvmlDeviceGetCurrPcieLinkGeneration(gpu)),
    "pcie_generation_max": lambda nvml, gpu: _link(nvml.nvmlDeviceGetMaxPcieLinkGeneration(gpu)),
    "pcie_generation_device_max": lambda nvml, gpu: _link(nvml.nvmlDeviceGetGpuMaxPcieLinkGeneration(gpu)),
    "pcie_replays": lambda nvml, gpu: nvml.nvmlDeviceGetPcieReplayCounter(gpu),
    "application_clocks": _application_clocks,
    "temperature_c": temperature,
    "temperature_slowdown_c": lambda nvml, gpu: _threshold(nvml, gpu, _SLOWDOWN),
    "temperature_margin_c": lambda nvml, gpu: nvml.nvmlDeviceGetMarginTemperature(gpu),
    "memory_temperature_c": _memory_temperature,
    "memory_temperature_max_c": lambda nvml, gpu: _threshold(nvml, gpu, _MEMORY_MAX),
    "mig_enabled": lambda nvml, gpu: bool(nvml.nvmlDeviceGetMigMode(gpu)[0]),
    "mig_pending": lambda nvml, gpu: bool(nvml.nvmlDeviceGetMigMode(gpu)[1]),
    "mig_devices": nvml_mig.devices,
    "compute_mode": _compute_mode,
    "processes": nvml_process.read,
    "power_limit_w": lambda nvml, gpu: _told(nvml.nvmlDeviceGetPowerManagementLimit(gpu)) / 1000,
    "power_limit_enforced_w": lambda nvml, gpu: _told(nvml.nvmlDeviceGetEnforcedPowerLimit(gpu)) / 1000,
    "power_limit_default_w": lambda nvml, gpu: _told(nvml.nvmlDeviceGetPowerManagementDefaultLimit(gpu)) / 1000,
}

# What the library of a supported driver (535 and later) may lack, so that its absence is no fault: functions that came later (545, 565),
# and those that CUDA 13 retires without another in their place. Any other that is missing has not been read.
MAY_LACK = ("sram_threshold_exceeded", "temperature_margin_c", "remap_availability", "application_clocks")
