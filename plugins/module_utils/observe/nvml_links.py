"""What NVML tells of a GPU's links: NVLinks and their errors, and the NVSwitch fabric."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.observation import Fabric
from ansible_collections.gpu.fleet.plugins.module_utils.observe.nvml_call import (
    ARGUMENT_VERSION_MISMATCH,
    FUNCTION_NOT_FOUND,
    INVALID_ARGUMENT,
    NO_SUCH_FUNCTION,
    NO_SUCH_THING,
    AbsentError,
    fields,
)

# Counters of nvmlDeviceGetNvLinkErrorCounter (up to NVLink 4), and fields that take their place (NVLink 5, of which nvml.h says that
# the former are not supported).
_COUNTERS = {"replay": 0, "recovery": 1, "crc_flit": 2, "crc_data": 3}
_STATE, _SLEEPS = 165, 2
_FIELDS = {
    "receive": 208,
    "integrity": 211,
    "recovery_succeeded": 213,
    "recovery_failed": 214,
    "effective": 219,
    "symbol": 221,
}
_FABRIC_VERSIONS = (0x3000028, 0x2000024)  # nvmlGpuFabricInfo_v3 (575), nvmlGpuFabricInfo_v2 (545)


class _FabricInfo(ctypes.Structure):
    """nvml.h: nvmlGpuFabricInfo_v3_t, which older bindings lack; version 2 is the same without its last member."""

    _fields_ = (
        ("version", ctypes.c_uint),
        ("clusterUuid", ctypes.c_ubyte * 16),
        ("status", ctypes.c_uint),
        ("cliqueId", ctypes.c_uint),
        ("state", ctypes.c_ubyte),
        ("healthMask", ctypes.c_uint),
        ("healthSummary", ctypes.c_ubyte),
    )


def states(nvml: Any, handle: Any) -> dict[str, bool]:
    """Tell of each link that there is whether it is up; one that sleeps until it is used is."""
    links: dict[str, bool] = {}
    for link in range(nvml.NVML_NVLINK_MAX_LINKS):
        try:
            links[str(link)] = bool(nvml.nvmlDeviceGetNvLinkState(handle, link)) or _sleeps(nvml, handle, link)
        except nvml.NVMLError as error:
            if error.value not in NO_SUCH_THING:
                raise
    return links


def _sleeps(nvml: Any, handle: Any, link: int) -> bool:
    try:
        return fields(nvml, handle, [(_STATE, link)]) == [_SLEEPS]
    except nvml.NVMLError:
        return False  # that it is not active has been told


def errors(nvml: Any, handle: Any) -> dict[str, dict[str, int]]:
    """Count the errors of each link that is up, since the driver was loaded: by link, then by kind."""
    up = [int(link) for link, state in states(nvml, handle).items() if state]
    if not up:
        raise AbsentError("this GPU has no NVLink that is up")
    read: Callable[[Any, Any, int], dict[str, int]] = _by_counter if _by_counter(nvml, handle, up[0]) else _by_field
    found = {str(link): read(nvml, handle, link) for link in up}
    if not any(found.values()):
        raise AbsentError("NVML: this GPU does not count its NVLinks' errors")
    return found


def _by_counter(nvml: Any, handle: Any, link: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, number in _COUNTERS.items():
        try:
            found[name] = int(nvml.nvmlDeviceGetNvLinkErrorCounter(handle, link, number))
        except nvml.NVMLError as error:
            if error.value not in (*NO_SUCH_THING, *NO_SUCH_FUNCTION):
                raise
    return found


def _by_field(nvml: Any, handle: Any, link: int) -> dict[str, int]:
    values = fields(nvml, handle, [(number, link) for number in _FIELDS.values()])
    return {name: value for name, value in zip(_FIELDS, values) if value is not None}


def fabric(nvml: Any, handle: Any) -> Fabric:
    """Read how far the GPU's registration with the fabric is, and how healthy it is there."""
    info = _fabric_info(nvml, handle)
    if info.state == 0:
        raise AbsentError("NVML: this GPU is not part of an NVSwitch fabric")
    return Fabric(int(info.state), int(info.status), int(info.healthMask), int(info.healthSummary))


def _fabric_info(nvml: Any, handle: Any) -> _FabricInfo:
    """Ask with the newest structure that the driver takes. Only one without the function (before 545) has no health to tell."""
    info = _FabricInfo()
    for version in _FABRIC_VERSIONS:
        info.version = version
        try:
            nvml.nvmlDeviceGetGpuFabricInfoV(handle, ctypes.byref(info))
        except nvml.NVMLError as error:
            if error.value == FUNCTION_NOT_FOUND:
                break
            if error.value not in (ARGUMENT_VERSION_MISMATCH, INVALID_ARGUMENT) or version == _FABRIC_VERSIONS[-1]:
                raise
        else:
            return info
    first = nvml.c_nvmlGpuFabricInfo_t()
    nvml.nvmlDeviceGetGpuFabricInfo(handle, ctypes.byref(first))
    return _FabricInfo(state=first.state, status=first.status)
