"""How NVML's bindings are called: its error numbers, calls that go by several names, and fields, each of which has an error of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# NVML's error numbers are part of its binary interface.
INVALID_ARGUMENT, NOT_SUPPORTED, NO_PERMISSION, NOT_FOUND, INSUFFICIENT_SIZE, INSUFFICIENT_POWER, TIMEOUT = 2, 3, 4, 6, 7, 8, 10
FUNCTION_NOT_FOUND, CORRUPTED_INFOROM, GPU_IS_LOST, RESET_REQUIRED, OPERATING_SYSTEM, IN_USE = 13, 14, 15, 16, 17, 19
ARGUMENT_VERSION_MISMATCH, DEPRECATED, UNKNOWN = 25, 26, 999
# What NVML answers where a GPU, or one of its links, has no such thing.
NO_SUCH_THING = (NOT_SUPPORTED, INVALID_ARGUMENT)
# What it answers where the library has no such function, or no longer: that says nothing about the GPU.
NO_SUCH_FUNCTION = (FUNCTION_NOT_FOUND, DEPRECATED)

_SIGNED_INT = 5  # nvmlValueType_t


class AbsentError(Exception):
    """The GPU answers, and says that it has no such thing."""


def first(nvml: Any, *calls: tuple[str, tuple[Any, ...]]) -> Any:
    """Call several functions that tell the same until one does: NVML renames and retires them from driver to driver.

    Where none does, the first that says that this GPU has no such thing is believed, else the last one's error is raised.
    """
    refusals: list[Exception] = []
    for name, arguments in calls:
        try:
            return getattr(nvml, name)(*arguments)
        except (nvml.NVMLError, AttributeError) as error:
            if getattr(error, "value", FUNCTION_NOT_FOUND) not in (*NO_SUCH_FUNCTION, NOT_SUPPORTED):
                raise
            refusals.append(error)
    raise next((refusal for refusal in refusals if getattr(refusal, "value", None) == NOT_SUPPORTED), refusals[-1])


def temperature(nvml: Any, handle: Any) -> int:
    """Read the GPU's temperature, in °C: by the call that CUDA 13 retires, which libraries have until then, else by its successor."""
    return int(first(nvml, ("nvmlDeviceGetTemperature", (handle, 0)), ("nvmlDeviceGetTemperatureV", (handle, 0))))


def fields(nvml: Any, handle: Any, wanted: Sequence[Any]) -> list[int | None]:
    """Read fields (numbers, or pairs of number and scope); None for one that this GPU or driver does not have.

    NVML succeeds if any field did, so each is looked at.
    """
    try:
        found = nvml.nvmlDeviceGetFieldValues(handle, list(wanted))
    except nvml.NVMLError as error:
        if error.value not in NO_SUCH_THING:
            raise
        return [None] * len(wanted)
    return [_number(nvml, field) for field in found]


def _number(nvml: Any, field: Any) -> int | None:
    if field.nvmlReturn in NO_SUCH_THING:
        return None
    if field.nvmlReturn:
        raise nvml.NVMLError(field.nvmlReturn)
    # The bindings hand over zeroed memory and all machines with these GPUs are little-endian: the widest member holds any unsigned value.
    return int(field.value.siVal if field.valueType == _SIGNED_INT else field.value.ullVal)
