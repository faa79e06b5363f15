"""Reads the GPUs through NVML, in a child with a deadline: the driver may hang, and what was read before that is kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Child, Deadline
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Nvml
from ansible_collections.gpu.fleet.plugins.module_utils.observe.nvml_call import (
    FUNCTION_NOT_FOUND,
    GPU_IS_LOST,
    IN_USE,
    INSUFFICIENT_POWER,
    NO_PERMISSION,
    NO_SUCH_FUNCTION,
    NOT_FOUND,
    NOT_SUPPORTED,
    OPERATING_SYSTEM,
    RESET_REQUIRED,
    TIMEOUT,
    UNKNOWN,
    AbsentError,
)
from ansible_collections.gpu.fleet.plugins.module_utils.observe.nvml_gpu import MAY_LACK, READERS
from ansible_collections.gpu.fleet.plugins.module_utils.plain import from_plain, to_plain
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

_START = {
    4: "NO_PERMISSION",
    9: "DRIVER_NOT_LOADED",
    12: "LIBRARY_NOT_FOUND",
    15: "GPU_IS_LOST",
    18: "LIB_RM_VERSION_MISMATCH",
    999: "UNKNOWN",
}
_LIBRARY_VERSION = re.compile(r"libnvidia-ml\.so\.(\d+\.\d+(?:\.\d+)?)$")
_NODE, _COUNT = "node", "count"
_STATES = {GPU_IS_LOST: "lost", RESET_REQUIRED: "reset required", INSUFFICIENT_POWER: "power cables missing"}
# Why there is no handle, where that says nothing about the GPU itself: who asks, a cgroup, the library, or nothing that NVML can name.
_NOTHING_TOLD = (NO_PERMISSION, NOT_FOUND, TIMEOUT, FUNCTION_NOT_FOUND, OPERATING_SYSTEM, IN_USE, UNKNOWN)
_STATE = "the GPU's state is "
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
    emit([_NODE, "cuda_version", to_plain(_attempt(nvml, _cuda_version, nvml))])
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
    names = ("driver_version", "library_path", "library_version", "cuda_version")
    texts = {name: from_plain(Reading[str], node.get(name, absent)) for name in names}
    return Nvml(status=status, gpus=found, **texts)


def _gpu(index: int, readings: Mapping[str, Any], absent: Mapping[str, str]) -> Gpu:
    return from_plain(Gpu, {"index": index, **{name: readings.get(name, absent) for name in _GPU_READINGS}})


def _read_gpu(nvml: Any, index: int, emit: Emit) -> None:
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
    except nvml.NVMLError as error:
        state: Reading[str] = Reading.of(_STATES.get(error.value, f"no handle: {error}"))
        if error.value in _NOTHING_TOLD:
            state = Reading.unreadable(f"NVML: {error}")
        emit([index, "state", to_plain(state)])
        return
    state = Reading.of("answers")
    for name, reader in READERS.items():
        reading = _attempt(nvml, reader, nvml, handle, may_lack=name in MAY_LACK)
        emit([index, name, to_plain(reading)])
        if _STATE in reading.why:
            state = Reading.of(reading.why.rpartition(_STATE)[2])
    emit([index, "state", to_plain(state)])


def _attempt(nvml: Any, function: Callable[..., Any], *arguments: Any, may_lack: bool = False) -> Reading[Any]:
    """Call, and turn whatever comes of it into a reading. `may_lack` is whether supported drivers exist without that function."""
    try:
        return Reading.of(function(*arguments))
    except nvml.NVMLError as error:
        return _refused(error, may_lack=may_lack)
    except AbsentError as error:
        return Reading.unsupported(str(error))
    except Exception as error:  # noqa: BLE001 - a value that makes no sense is a reading that failed
        return Reading.unreadable(f"NVML: {type(error).__name__}: {error}")


def _refused(error: Any, *, may_lack: bool) -> Reading[Any]:
    """Say what one of NVML's errors means."""
    if error.value == NOT_SUPPORTED:
        return Reading.unsupported("NVML: not supported by this GPU in its present mode")
    if error.value in NO_SUCH_FUNCTION and may_lack:
        return Reading.unsupported("NVML: this driver's library has no such function")
    if error.value == NO_PERMISSION:
        return Reading.unreadable(f"NVML: {error}, expected those of root: run this check as root")
    return Reading.unreadable(f"NVML: {_STATE + _STATES[error.value] if error.value in _STATES else error}")


def _cuda_version(nvml: Any) -> str:
    number = nvml.nvmlSystemGetCudaDriverVersion()  # 12080 is 12.8
    return f"{number // 1000}.{number % 1000 // 10}"


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
