"""The GPUs that the node's libnvidia-ml.so.1 reports, whatever library that is."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

LIBRARY = "libnvidia-ml.so.1"
ERRORS = {
    1: "ERROR_UNINITIALIZED",
    2: "ERROR_INVALID_ARGUMENT",
    3: "ERROR_NOT_SUPPORTED",
    4: "ERROR_NO_PERMISSION",
    6: "ERROR_NOT_FOUND",
    9: "ERROR_DRIVER_NOT_LOADED",
    12: "ERROR_LIBRARY_NOT_FOUND",
    13: "ERROR_FUNCTION_NOT_FOUND",
    15: "ERROR_GPU_IS_LOST",
    18: "ERROR_LIB_RM_VERSION_MISMATCH",
    999: "ERROR_UNKNOWN",
}


class NvmlError(Exception):
    """What could not be done, in the real tool's words, and the name of the return value."""


@dataclass(frozen=True)
class Gpu:
    index: int
    uuid: str
    minor: int


@dataclass(frozen=True)
class Driver:
    version: str
    gpus: tuple[Gpu, ...]


def read(*, skip_lost: bool = False) -> Driver:
    """Ask NVML for the driver's version and its GPUs; leave out those it cannot reach if told so."""
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        raise NvmlError(f"failed to initialize NVML: {ERRORS[12]}") from None
    _call("initialize NVML", library.nvmlInit_v2)
    try:
        version = _text("get driver version", library.nvmlSystemGetDriverVersion)
        count = ctypes.c_uint()
        _call("get device count", library.nvmlDeviceGetCount_v2, ctypes.byref(count))
        gpus = [_gpu(library, index, skip_lost=skip_lost) for index in range(count.value)]
        return Driver(version, tuple(gpu for gpu in gpus if gpu))
    finally:
        library.nvmlShutdown()


def _gpu(library: ctypes.CDLL, index: int, *, skip_lost: bool) -> Gpu | None:
    handle, minor = ctypes.c_void_p(), ctypes.c_uint()
    try:
        _call(f"get device handle for index {index}", library.nvmlDeviceGetHandleByIndex_v2, ctypes.c_uint(index), ctypes.byref(handle))
        uuid = _text("get device UUID", library.nvmlDeviceGetUUID, handle)
        _call("get device minor number", library.nvmlDeviceGetMinorNumber, handle, ctypes.byref(minor))
    except NvmlError:
        if skip_lost:
            return None
        raise
    return Gpu(index, uuid, minor.value)


def _call(step: str, function: ctypes._NamedFuncPointer, *arguments: object) -> None:
    code = function(*arguments)
    if code:
        raise NvmlError(f"failed to {step}: {ERRORS.get(code, f'ERROR_{code}')}")


def _text(step: str, function: ctypes._NamedFuncPointer, *arguments: object) -> str:
    buffer = ctypes.create_string_buffer(96)
    _call(step, function, *arguments, buffer, ctypes.c_uint(len(buffer)))
    return buffer.value.decode()
