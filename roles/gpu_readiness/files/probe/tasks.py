"""What the forked processes do: one looks for GPUs and copies between all of them, then one per GPU measures it, apart and together."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bandwidth
import collectives
import host_copies
import matmul
import peer_copies
from devices import count_gpus
from workers import Emit, Hear, Work, reason

NO_FP8 = "this device has no fp8 (GPUs of compute capability 8.9 and later have)"

Task = Callable[..., Any]


def scout(torch: Any) -> Work:
    """Look for GPUs, in a process of its own since that starts CUDA and may hang; then measure the copies between them."""

    def work(emit: Emit, hear: Hear) -> None:
        emit({"value": _look(torch)})
        _obey(emit, hear, {"peers": lambda count, seconds: peer_copies.measure(torch, _devices(torch, count), seconds)})

    return work


def rank(  # noqa: PLR0913 - who it is, on what, and how it meets the others
    torch: Any, number: int, count: int, *, on_gpus: bool, meeting: Path, limit_s: float
) -> Work:
    """Measure one GPU; `meeting` is the file over which all ranks meet, `limit_s` how long they wait for each other."""

    def work(emit: Emit, hear: Hear) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(number + 1)
        device = torch.device("cuda", number) if on_gpus else torch.device("cpu")
        if on_gpus:
            torch.cuda.set_device(device)
        group = collectives.Group(number, count, torch.distributed.FileStore(str(meeting), count), limit_s)
        tasks: dict[str, Task] = {
            "start": lambda: _identity(torch, device),
            "matmul": lambda seconds: matmul.measure(torch, device, seconds),
            "matmul_fp8": lambda seconds: matmul.measure_fp8(torch, device, seconds),
            "memory": lambda seconds: bandwidth.measure(torch, device, seconds),
            "host": lambda seconds: host_copies.measure(torch, device, seconds),
            "join": lambda: collectives.join(torch, device, group),
            "collectives": lambda sizes, seconds: collectives.measure(torch, device, group, sizes, seconds),
            "all_reduce": lambda size, seconds: collectives.measure(torch, device, group, [size], seconds, ()),
        }
        _obey(emit, hear, tasks)

    return work


def _obey(emit: Emit, hear: Hear, tasks: dict[str, Task]) -> None:
    """Do what is ordered, [name, arguments], and answer with the time it took; what fails is told, and the next order may go well."""
    while (order := hear()) is not None:
        name, arguments = order
        began = time.time()
        try:
            value = tasks[name](*arguments)
        except Exception as error:  # noqa: BLE001 - the parent is told, whatever it was
            emit({"unreadable": reason(error)})
        else:
            emit({"value": value, "began": began, "ended": time.time()})


def _look(torch: Any) -> dict[str, Any]:
    try:
        count = count_gpus(torch)
        return {"gpus": count, "nccl": ".".join(map(str, torch.cuda.nccl.version())), "reason": "PyTorch sees GPUs" if count else "no GPU"}
    except (AssertionError, RuntimeError) as error:
        return {"gpus": 0, "nccl": "", "reason": str(error).strip().splitlines()[0]}


def _identity(torch: Any, device: Any) -> dict[str, str]:
    """Say which GPU this is, and have CUDA and its libraries started on it."""
    if device.type == "cpu":
        return {"uuid": "", "name": "CPU"}
    small = torch.ones(16, 16, device=device)
    (small @ small).sum().item()
    properties = torch.cuda.get_device_properties(device)
    uuid = str(getattr(properties, "uuid", ""))
    return {"uuid": f"GPU-{uuid}" if uuid and not uuid.startswith("GPU-") else uuid, "name": properties.name}


def _devices(torch: Any, count: int) -> list[Any]:
    """List the GPUs; without any, the CPU stands in for two."""
    return [torch.device("cuda", number) for number in range(count)] or [torch.device("cpu")] * 2
