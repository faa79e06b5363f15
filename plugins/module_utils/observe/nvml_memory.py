"""What NVML tells of a GPU's memory: errors that ECC saw, rows remapped, pages retired, and how much is left to repair with."""

from __future__ import annotations

import ctypes
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.observation import RemappedRows, RetiredPages
from ansible_collections.gpu.fleet.plugins.module_utils.observation_gpu import SpareRows
from ansible_collections.gpu.fleet.plugins.module_utils.observe.nvml_call import NO_SUCH_THING, AbsentError

# nvml.h: nvmlMemoryErrorType_t, nvmlEccCounterType_t, nvmlMemoryLocation_t
_KINDS = {"corrected": 0, "uncorrected": 1}
_PERIODS = {"volatile": 0, "aggregate": 1}
_PLACES = {"dram": 2, "sram": 7}


def total_ecc_errors(nvml: Any, handle: Any, kind: str, period: str) -> int:
    """Count errors in all memories, `volatile` (since the driver was loaded) or `aggregate` (ever)."""
    total: int = nvml.nvmlDeviceGetTotalEccErrors(handle, _KINDS[kind], _PERIODS[period])
    return total


def ecc_errors(nvml: Any, handle: Any) -> dict[str, int]:
    """Count errors by period, kind and memory, such as `volatile_uncorrected_sram`; a memory that is not told apart is absent."""
    found: dict[str, int] = {}
    for period, period_number in _PERIODS.items():
        for kind, kind_number in _KINDS.items():
            for place, place_number in _PLACES.items():
                try:
                    count = nvml.nvmlDeviceGetMemoryErrorCounter(handle, kind_number, period_number, place_number)
                except nvml.NVMLError as error:
                    if error.value not in NO_SUCH_THING:
                        raise
                else:
                    found[f"{period}_{kind}_{place}"] = count
    if not found:
        raise AbsentError("NVML: this GPU does not tell its memories' errors apart, or has ECC switched off")
    return found


def sram_threshold_exceeded(nvml: Any, handle: Any) -> bool:
    """Tell whether more of the SRAM's errors could not be corrected than NVIDIA's field diagnostics let pass. Root is told (nvml.h)."""
    status = nvml.c_nvmlEccSramErrorStatus_v1_t()
    nvml.nvmlDeviceGetSramEccErrorStatus(handle, ctypes.byref(status))
    return bool(status.bThresholdExceeded)


def remapped_rows(nvml: Any, handle: Any) -> RemappedRows:
    """Read how many rows were replaced, and whether one waits for it or could not be."""
    correctable, uncorrectable, pending, failure = nvml.nvmlDeviceGetRemappedRows(handle)
    return RemappedRows(correctable, uncorrectable, bool(pending), bool(failure))


def remap_availability(nvml: Any, handle: Any) -> SpareRows:
    """Count the memory banks by how many of their spare rows are left."""
    banks = nvml.nvmlDeviceGetRowRemapperHistogram(handle)
    found = SpareRows(banks.max, banks.high, banks.partial, banks.low, banks.none)
    if found == SpareRows(0, 0, 0, 0, 0):
        raise AbsentError("NVML: this GPU counts no memory bank with spare rows")
    return found


def retired_pages(nvml: Any, handle: Any) -> RetiredPages:
    """Count the pages out of use, by cause: several corrected errors, or one that could not be."""
    single, double = (len(nvml.nvmlDeviceGetRetiredPages(handle, cause)) for cause in (0, 1))
    return RetiredPages(single, double, bool(nvml.nvmlDeviceGetRetiredPagesPendingStatus(handle)))
