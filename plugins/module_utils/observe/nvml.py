"""Reads the GPUs through NVML, in a child with a deadline: the driver may hang, and what was read before that is kept."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Child, Deadline
from ansible_collections.gpu.fleet.plugins.module_utils.observation import (
    Fabric,
    Gpu,
    Nvml,
    RemappedRows,
    RetiredPages,
    pci_id,
)
from ansible_collections.gpu.fleet.plugins.module_utils.plain import from_plain, to_plain
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

# NVML's error numbers are part of its binary interface.
_INVALID_ARGUMENT, _NOT_SUPPORTED, _NO_PERMISSION, _FUNCTION_NOT_FOUND, _GPU_IS_LOST = 2, 3, 4, 13, 15
_VERSION_MISMATCH_OF_ARGUMENT = 25
_START = {
    4: "NO_PERMISSION",
    9: "DRIVER_NOT_LOADED",
    12: "LIBRARY_NOT_FOUND",
    15: "GPU_IS_LOST",
    18: "LIB_RM_VERSION_MISMATCH",
    999: "UNKNOWN",
}
_FIELD_RECOVERY_ACTION = 230
_LIBRARY_VERSION = re.compile(r"libnvidia-ml\.so\.(\d+\.\d+(?:\.\d+)?)$")
_NODE, _COUNT = "node", "count"
_GPU_READINGS = [field.name for field in fields(Gpu) if field.name != "index"]

Emit = Callable[[Any], None]


class Observer:
    """A reading of NVML under way; started before the other sources are read, and collected after them."""

    def __init__(self, load: Callable[[], Any], deadline: Deadline) -> None:
        """Start reading. `load` imports the bindings (in the child, since that takes time too)."""
        self._child = Child(lambda emit: read(load(), emit), deadline)

    def result(self) -> Nvml:
        """Wait for the child, and put together what it could read."""
        items, trouble = self._child.collect()
        return assemble(items, trouble)


def read(nvml: Any, emit: Emit) -> None:
    """Read everything, emitting one item (where, what, reading) at a time."""
    status = "SUCCESS"
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        status = _START.get(error.value, f"ERROR_{error.value}")
    path = _library_path()
    emit([_NODE, "status", {"value": status}])
    emit([_NODE, "library_path", to_plain(path)])
    emit([_NODE, "library_version", to_plain(_library_version(path))])
    if status != "SUCCESS":
        return
    emit([_NODE, "driver_version", to_plain(_attempt(nvml, nvml.nvmlSystemGetDriverVersion))])
    count = _attempt(nvml, nvml.nvmlDeviceGetCount)
    emit([_NODE, _COUNT, to_plain(count)])
    for index in range(count.value if count.is_known else 0):
        _read_gpu(nvml, index, emit)


def assemble(items: Iterable[tuple[Any, str, Any]], trouble: str) -> Nvml:
    """Put the items together; whatever is missing is unreadable, because of `trouble`."""
    node: dict[str, Any] = {}
    gpus: dict[int, dict[str, Any]] = {}
    for where, what, reading in items:
        (node if where == _NODE else gpus.setdefault(where, {}))[what] = reading
    why = f"NVML: {trouble or 'not read'}"
    absent = {"unreadable": why}
    status = from_plain(Reading[str], node.get("status", absent))
    if status.is_known and status.value != "SUCCESS":
        absent = {"unreadable": f"NVML did not start: {status.value}"}
    count = from_plain(Reading[int], node.get(_COUNT, absent))
    found: Reading[tuple[Gpu, ...]] = Reading(count.state, count.content)
    if count.is_known:
        stopped_at = next((index for index in range(count.value) if "state" not in gpus.get(index, {})), count.value)
        beyond = {"unreadable": f"NVML: not reached, since GPU {stopped_at} gave {trouble}"}
        found = Reading.of(
            tuple(_gpu(index, gpus.get(index, {}), beyond if index > stopped_at else absent) for index in range(count.value))
        )
    texts = {name: from_plain(Reading[str], node.get(name, absent)) for name in ("driver_version", "library_path", "library_version")}
    return Nvml(status=status, gpus=found, **texts)


def _gpu(index: int, readings: Mapping[str, Any], absent: Mapping[str, str]) -> Gpu:
    return from_plain(Gpu, {"index": index, **{name: readings.get(name, absent) for name in _GPU_READINGS}})


def _read_gpu(nvml: Any, index: int, emit: Emit) -> None:
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
    except nvml.NVMLError as error:
        state: Reading[str] = Reading.of("lost" if error.value == _GPU_IS_LOST else f"no handle: {error}")
        emit([index, "state", to_plain(Reading.unreadable(f"NVML: {error}") if error.value == _NO_PERMISSION else state)])
        for name in _GPU_READINGS[1:]:
            emit([index, name, {"unreadable": f"NVML gave no handle: {error}"}])
        return
    state = Reading.of("answers")
    for name, reader in _READERS.items():
        reading = _attempt(nvml, reader, nvml, handle)
        emit([index, name, to_plain(reading)])
        if reading.why == _LOST:
            state = Reading.of("lost")
    emit([index, "state", to_plain(state)])


_LOST = "NVML: the GPU is lost"


def _attempt(nvml: Any, function: Callable[..., Any], *arguments: Any) -> Reading[Any]:
    """Call, and turn whatever comes of it into a reading."""
    try:
        return Reading.of(function(*arguments))
    except nvml.NVMLError as error:
        if error.value == _NOT_SUPPORTED:
            return Reading.unsupported("NVML: not supported by this GPU in its present mode")
        if error.value == _FUNCTION_NOT_FOUND:
            return Reading.unsupported("NVML: this driver's library has no such function")
        return Reading.unreadable(_LOST if error.value == _GPU_IS_LOST else f"NVML: {error}")
    except _AbsentError as error:
        return Reading.unsupported(str(error))
    except Exception as error:  # noqa: BLE001 - a value that makes no sense is a reading that failed
        return Reading.unreadable(f"NVML: {type(error).__name__}: {error}")


class _AbsentError(Exception):
    """The GPU answers, and says that it has no such thing."""


def _library_path(maps: Path = Path("/proc/self/maps")) -> Reading[str]:
    """Find the file that the loader chose, from this process's own memory map."""
    try:
        lines = maps.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        return Reading.unreadable(f"{maps}: {error.strerror}")
    paths = (line.split(maxsplit=5)[-1] for line in lines if "libnvidia-ml" in line)
    found = next(paths, "")
    return Reading.of(found) if found else Reading.unsupported("no libnvidia-ml.so.1 was loaded")


def _library_version(path: Reading[str]) -> Reading[str]:
    if not path.is_known:
        return path
    found = _LIBRARY_VERSION.search(path.value)
    return Reading.of(found[1]) if found else Reading.unsupported(f"the library's file name, {path.value}, carries no version")


def _first(nvml: Any, *calls: tuple[str, tuple[Any, ...]]) -> Any:
    """Call the first of several functions that this library has: NVML renames and retires them from driver to driver."""
    for position, (name, arguments) in enumerate(calls):
        try:
            return getattr(nvml, name)(*arguments)
        except (nvml.NVMLError, AttributeError) as error:
            if position == len(calls) - 1 or getattr(error, "value", _FUNCTION_NOT_FOUND) != _FUNCTION_NOT_FOUND:
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
    if field.nvmlReturn in (_NOT_SUPPORTED, _INVALID_ARGUMENT):
        raise _AbsentError("NVML: this driver does not tell a GPU's recovery action (570 and later do)")
    if field.nvmlReturn:
        raise nvml.NVMLError(field.nvmlReturn)
    return int(field.value.uiVal)


def _nvlinks(nvml: Any, handle: Any) -> dict[str, bool]:
    links: dict[str, bool] = {}
    for link in range(nvml.NVML_NVLINK_MAX_LINKS):
        try:
            links[str(link)] = bool(nvml.nvmlDeviceGetNvLinkState(handle, link))
        except nvml.NVMLError as error:
            if error.value not in (_NOT_SUPPORTED, _INVALID_ARGUMENT):  # those two mean that there is no such link
                raise
    return links


def _fabric(nvml: Any, handle: Any) -> Fabric:
    info = nvml.c_nvmlGpuFabricInfoV_t()
    try:
        nvml.nvmlDeviceGetGpuFabricInfoV(handle, ctypes.byref(info))
        health = int(info.healthMask)
    except nvml.NVMLError as error:
        if error.value not in (_FUNCTION_NOT_FOUND, _VERSION_MISMATCH_OF_ARGUMENT):
            raise
        info = nvml.c_nvmlGpuFabricInfo_t()
        nvml.nvmlDeviceGetGpuFabricInfo(handle, ctypes.byref(info))
        health = 0
    if info.state == 0:
        raise _AbsentError("NVML: this GPU is not part of an NVSwitch fabric")
    return Fabric(int(info.state), int(info.status), health)


def _temperature(nvml: Any, handle: Any) -> int:
    return int(_first(nvml, ("nvmlDeviceGetTemperature", (handle, 0)), ("nvmlDeviceGetTemperatureV", (handle, 0))))


def _clock_event_reasons(nvml: Any, handle: Any) -> int:
    names = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")
    return int(_first(nvml, *((name, (handle,)) for name in names)))


# In the order in which they are read: identity first, so that a GPU that hangs later has its name.
_READERS: dict[str, Callable[[Any, Any], Any]] = {
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
