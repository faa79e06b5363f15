"""What NVML is asked about one GPU: a table of readings, and how each is had from the bindings."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.observation import Fabric, RemappedRows, RetiredPages, pci_id

# NVML's error numbers are part of its binary interface.
INVALID_ARGUMENT, NOT_SUPPORTED, NO_PERMISSION, FUNCTION_NOT_FOUND, GPU_IS_LOST = 2, 3, 4, 13, 15
_VERSION_MISMATCH_OF_ARGUMENT = 25
_FIELD_RECOVERY_ACTION = 230


class AbsentError(Exception):
    """The GPU answers, and says that it has no such thing."""


def _first(nvml: Any, *calls: tuple[str, tuple[Any, ...]]) -> Any:
    """Call the first of several functions that this library has: NVML renames and retires them from driver to driver."""
    for position, (name, arguments) in enumerate(calls):
        try:
            return getattr(nvml, name)(*arguments)
        except (nvml.NVMLError, AttributeError) as error:
            if position == len(calls) - 1 or getattr(error, "value", FUNCTION_NOT_FOUND) != FUNCTION_NOT_FOUND:
                raise
    raise AssertionError


def _pci_bus_id(nvml: Any, handle: Any) -> str:
    address = nvml.nvmlDeviceGetPciInfo(handle).busId
    return pci_id(address.decode() if isinstance(address, bytes) else address)


def _ecc_errors(nvml: Any, handle: Any, kind: int, counter: int) -> int:
    """Count errors of a kind (0 corrected, 1 uncorrected) since the driver was loaded (0) or ever (1)."""
    total: int = nvml.nvmlDeviceGetTotalEccErrors(handle, kind, counter)
    return total


def _remapped_rows(nvml: Any, handle: Any) -> RemappedRows:
    correctable, uncorrectable, pending, failure = nvml.nvmlDeviceGetRemappedRows(handle)
    return RemappedRows(correctable, uncorrectable, bool(pending), bool(failure))


def _retired_pages(nvml: Any, handle: Any) -> RetiredPages:
    single, double = (len(nvml.nvmlDeviceGetRetiredPages(handle, cause)) for cause in (0, 1))
    return RetiredPages(single, double, bool(nvml.nvmlDeviceGetRetiredPagesPendingStatus(handle)))


def _recovery_action(nvml: Any, handle: Any) -> int:
    field = nvml.nvmlDeviceGetFieldValues(handle, [_FIELD_RECOVERY_ACTION])[0]
    if field.nvmlReturn in (NOT_SUPPORTED, INVALID_ARGUMENT):
        raise AbsentError("NVML: this driver does not tell a GPU's recovery action (570 and later do)")
    if field.nvmlReturn:
        raise nvml.NVMLError(field.nvmlReturn)
    return int(field.value.uiVal)


def _nvlinks(nvml: Any, handle: Any) -> dict[str, bool]:
    links: dict[str, bool] = {}
    for link in range(nvml.NVML_NVLINK_MAX_LINKS):
        try:
            links[str(link)] = bool(nvml.nvmlDeviceGetNvLinkState(handle, link))
        except nvml.NVMLError as error:
            if error.value not in (NOT_SUPPORTED, INVALID_ARGUMENT):  # those two mean that there is no such link
                raise
    return links


def _fabric(nvml: Any, handle: Any) -> Fabric:
    info = nvml.c_nvmlGpuFabricInfoV_t()
    try:
        nvml.nvmlDeviceGetGpuFabricInfoV(handle, ctypes.byref(info))
        health = int(info.healthMask)
    except nvml.NVMLError as error:
        if error.value not in (FUNCTION_NOT_FOUND, _VERSION_MISMATCH_OF_ARGUMENT):
            raise
        info = nvml.c_nvmlGpuFabricInfo_t()
        nvml.nvmlDeviceGetGpuFabricInfo(handle, ctypes.byref(info))
        health = 0
    if info.state == 0:
        raise AbsentError("NVML: this GPU is not part of an NVSwitch fabric")
    return Fabric(int(info.state), int(info.status), health)


def _temperature(nvml: Any, handle: Any) -> int:
    return int(_first(nvml, ("nvmlDeviceGetTemperature", (handle, 0)), ("nvmlDeviceGetTemperatureV", (handle, 0))))


def _clock_event_reasons(nvml: Any, handle: Any) -> int:
    names = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")
    return int(_first(nvml, *((name, (handle,)) for name in names)))


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
    "ecc_volatile_uncorrected": lambda nvml, gpu: _ecc_errors(nvml, gpu, 1, 0),
    "ecc_aggregate_uncorrected": lambda nvml, gpu: _ecc_errors(nvml, gpu, 1, 1),
    "ecc_volatile_corrected": lambda nvml, gpu: _ecc_errors(nvml, gpu, 0, 0),
    "ecc_aggregate_corrected": lambda nvml, gpu: _ecc_errors(nvml, gpu, 0, 1),
    "remapped_rows": _remapped_rows,
    "retired_pages": _retired_pages,
    "recovery_action": _recovery_action,
    "nvlinks": _nvlinks,
    "fabric": _fabric,
    "pcie_width": lambda nvml, gpu: nvml.nvmlDeviceGetCurrPcieLinkWidth(gpu),
    "pcie_width_max": lambda nvml, gpu: nvml.nvmlDeviceGetMaxPcieLinkWidth(gpu),
    "pcie_generation_max": lambda nvml, gpu: nvml.nvmlDeviceGetMaxPcieLinkGeneration(gpu),
    "clock_event_reasons": _clock_event_reasons,
    "temperature_c": _temperature,
    "temperature_slowdown_c": lambda nvml, gpu: nvml.nvmlDeviceGetTemperatureThreshold(gpu, 1),
    "temperature_margin_c": lambda nvml, gpu: nvml.nvmlDeviceGetMarginTemperature(gpu),
    "mig_enabled": lambda nvml, gpu: bool(nvml.nvmlDeviceGetMigMode(gpu)[0]),
    "power_limit_w": lambda nvml, gpu: nvml.nvmlDeviceGetPowerManagementLimit(gpu) / 1000,
}
