"""Which processes hold a GPU, and whether they still live."""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.observation_gpu import GpuProcess
from ansible_collections.gpu.fleet.plugins.module_utils.observe import machine
from ansible_collections.gpu.fleet.plugins.module_utils.observe.nvml_call import INSUFFICIENT_SIZE, first
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

_ENDED = "ZX"  # states of /proc/PID/stat: a process that has ended, and whose parent has not yet been told
_SECOND_LOOK_S = 0.2
_ROOM, _ATTEMPTS = 64, 5
_NOT_TOLD = (1 << 64) - 1  # nvml.h: NVML_VALUE_NOT_AVAILABLE
# Each name is written out: what the bindings on the node have is what is mentioned here.
_NAMES = (
    "nvmlDeviceGetComputeRunningProcesses_v3",
    "nvmlDeviceGetComputeRunningProcesses_v2",
    "nvmlDeviceGetComputeRunningProcesses",
)


def read(nvml: Any, handle: Any, root: Path = Path("/")) -> tuple[GpuProcess, ...]:
    """List the compute processes. One that seems dead is looked at again, since it may have ended while we looked."""
    found = _list(nvml, handle, root)
    if all(not process.alive.is_known or process.alive.value for process in found):
        return found
    time.sleep(_SECOND_LOOK_S)
    return _list(nvml, handle, root)


def _list(nvml: Any, handle: Any, root: Path) -> tuple[GpuProcess, ...]:
    try:
        listed = _with_room(nvml, handle)
    except AttributeError:  # library or bindings lack it
        listed = first(nvml, *((name, (handle,)) for name in _NAMES))
    return tuple(GpuProcess(each.pid, _name(nvml, each.pid), _mib(each.usedGpuMemory), alive(each.pid, root)) for each in listed)


def _with_room(nvml: Any, handle: Any) -> list[Any]:
    """List with room for processes from the start: NVML's own bindings ask without, and take SUCCESS for nobody, however many it counts."""
    ask, count = nvml.nvmlLib.nvmlDeviceGetComputeRunningProcesses_v3, ctypes.c_uint(_ROOM)
    for _attempt in range(_ATTEMPTS):
        found = (nvml.c_nvmlProcessInfo_v3_t * count.value)()
        status = ask(handle, ctypes.byref(count), found)
        if status != INSUFFICIENT_SIZE:
            break
        count.value = 2 * count.value + _ROOM  # as many as there are, and those that start meanwhile
    if status:
        raise nvml.NVMLError(status)
    return list(found[: count.value])


def alive(pid: int, root: Path) -> Reading[bool]:
    """Tell whether a process of the host lives; in a container NVML's numbers mean nothing."""
    whole = machine.sees_all_processes(root)
    if whole.is_known and not whole.value:
        return Reading.unsupported("this check runs in a container, and sees other processes than the host's")
    try:
        os.kill(pid, 0)
        state = (root / "proc" / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return Reading.of(False)  # noqa: FBT003 - the value of a reading
    except (OSError, IndexError):
        return Reading.of(True)  # noqa: FBT003 - it is there, and belongs to somebody else
    return Reading.of(state not in _ENDED)


def _name(nvml: Any, pid: int) -> str:
    try:
        return str(nvml.nvmlSystemGetProcessName(pid)).rpartition("/")[2]
    except (nvml.NVMLError, UnicodeDecodeError):  # the bindings take a name for UTF-8
        return "of unknown name"  # it may just have ended, or be another user's


def _mib(used: int | None) -> Reading[int]:
    return Reading.unsupported("NVML does not tell it") if used in (None, _NOT_TOLD) else Reading.of(used >> 20)
