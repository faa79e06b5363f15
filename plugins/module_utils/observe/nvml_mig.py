"""Counts the MIG devices of a GPU, which any user may: to list its GPU instances takes root."""

from __future__ import annotations

from typing import Any

_NOT_FOUND = 6


def devices(nvml: Any, handle: Any) -> int:
    """Count what jobs can run on while MIG is on: the compute instances of all its GPU instances. Their numbers may have gaps."""
    return sum(_is_there(nvml, handle, index) for index in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)))


def _is_there(nvml: Any, handle: Any, index: int) -> bool:
    try:
        nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)
    except nvml.NVMLError as error:
        if error.value != _NOT_FOUND:
            raise
        return False
    return True
