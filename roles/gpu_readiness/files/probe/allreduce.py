"""An all-reduce between all processes: how fast (bus bandwidth, decimal), and whether the sum is right."""

from __future__ import annotations

import datetime as dt
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WARM_UP, _TIMES = 5, 15
_MOST_BYTES = 8 << 30  # what published gates were measured with
_CPU_BYTES = 4 << 20
_PART_OF_MEMORY = 8
_CHECKED = {"cuda": 1 << 20, "cpu": 1 << 16}  # elements whose sum is compared
_BELOW = 8  # whole numbers, so small that the sum is exact in every type


@dataclass(frozen=True)
class Group:
    """One process's place among all of them, the file over which they meet, and the time that they have."""

    rank: int
    ranks: int
    store: Path
    seconds: float


def measure(torch: Any, device: Any, group: Group) -> dict[str, Any]:
    """Measure, and compare with what it should be."""
    import torch.distributed as dist  # noqa: PLC0415 - takes a while, and not every run comes here

    on_gpus = device.type == "cuda"
    if on_gpus:
        torch.cuda.set_device(device)
    dist.init_process_group(
        "nccl" if on_gpus else "gloo",
        store=dist.FileStore(str(group.store), group.ranks),
        rank=group.rank,
        world_size=group.ranks,
        timeout=dt.timedelta(seconds=group.seconds),
    )
    dtype = torch.bfloat16 if on_gpus else torch.float32
    correct = _sums_right(torch, device, dtype, group)
    size = _size(torch, device)
    data = torch.randn(size // dtype.itemsize, device=device, dtype=dtype)
    seconds = [_time(torch, device, data) for _ in range(_WARM_UP + _TIMES)]
    median = statistics.median(seconds[_WARM_UP:])
    return {
        "busbw_gb_s": size / median / 1e9 * 2 * (group.ranks - 1) / group.ranks,
        "algbw_gb_s": size / median / 1e9,
        "bytes": size,
        "dtype": "bf16" if on_gpus else "fp32",
        "ranks": group.ranks,
        "correct": correct,
    }


def _sums_right(torch: Any, device: Any, dtype: Any, group: Group) -> bool:
    """Sum whole numbers that every process can make for all of them."""

    def numbers(rank: int) -> Any:
        return torch.randint(_BELOW, (_CHECKED[device.type],), generator=torch.Generator().manual_seed(rank))

    mine = numbers(group.rank).to(device=device, dtype=dtype)
    torch.distributed.all_reduce(mine)
    expected = sum(numbers(rank) for rank in range(group.ranks))
    return bool((mine.cpu().long() == expected).all())


def _size(torch: Any, device: Any) -> int:
    """Choose the bytes, as the smallest GPU allows."""
    size = _CPU_BYTES
    if device.type == "cuda":
        fits = min(_MOST_BYTES, torch.cuda.get_device_properties(device).total_memory // _PART_OF_MEMORY)
        size = 1 << (fits.bit_length() - 1)
    agreed = torch.tensor([size], device=device, dtype=torch.int64)
    torch.distributed.all_reduce(agreed, op=torch.distributed.ReduceOp.MIN)
    return int(agreed.item())


def _time(torch: Any, device: Any, data: Any) -> float:
    """Time one all-reduce, on a GPU by its own clock."""
    if device.type == "cpu":
        torch.distributed.barrier()
        began = time.perf_counter()
        torch.distributed.all_reduce(data)
        return time.perf_counter() - began
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    torch.distributed.all_reduce(data)
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end)) / 1000
