"""All-reduce, reduce-scatter and all-gather between processes: how fast (bus bandwidth, decimal), and whether each result is right.

Bus bandwidth is what the links carried whatever the number of processes: bytes / seconds, times 2(n-1)/n for an all-reduce and (n-1)/n for
the others. The bytes are those of the whole: what each process reduces, or what the parts are together.
"""

from __future__ import annotations

import datetime as dt
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from stopwatch import laps

ALL_REDUCE, REDUCE_SCATTER, ALL_GATHER = "all_reduce", "reduce_scatter", "all_gather"

_LEAST_TIMES, _MOST_TIMES = 5, 40
_IN_A_ROW = 8  # in place: a sum of sums of sums, which must not grow beyond its type
_PART_OF_MEMORY = 8
_TILE = 1 << 16  # elements of the random pattern that is repeated
_EXACT = 256  # the largest whole number up to which bf16 has them all


@dataclass(frozen=True)
class Group:
    """One process's place among all of them, where they meet (a store of torch.distributed), and the seconds after which one is missing."""

    rank: int
    ranks: int
    store: Any
    seconds: float


def join(torch: Any, device: Any, group: Group) -> None:
    """Meet the others, by NCCL between GPUs and by Gloo between CPUs."""
    on_gpus = device.type == "cuda"
    torch.distributed.init_process_group(
        "nccl" if on_gpus else "gloo",
        store=group.store,
        rank=group.rank,
        world_size=group.ranks,
        timeout=dt.timedelta(seconds=group.seconds),
        **({"device_id": device} if on_gpus else {}),
    )


def measure(  # noqa: PLR0913, PLR0917 - what is measured, by whom, for how long
    torch: Any, device: Any, group: Group, sizes: Sequence[int], seconds: float, others: Sequence[str] = (REDUCE_SCATTER, ALL_GATHER)
) -> list[dict[str, Any]]:
    """Measure an all-reduce of each size and the others of the largest that fits, after `join`; every process must ask for the same."""
    fitting = _fitting(torch, device, sizes)
    wanted = [(ALL_REDUCE, size) for size in fitting] + [(name, fitting[-1]) for name in others]
    return [_measure(torch, device, group, name, size, seconds / len(wanted)) for name, size in wanted]


def _measure(torch: Any, device: Any, group: Group, name: str, size: int, seconds: float) -> dict[str, Any]:  # noqa: PLR0913, PLR0917 - as above
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    rounded = group.ranks * _TILE
    elements = max(rounded, size // dtype.itemsize // rounded * rounded)
    task = _TASKS[name](torch, device, dtype, group, elements)
    correct = task.right()  # also the warm-up: the first one opens the connections
    took: list[float] = []
    times = _agreed_times(torch, device, task, seconds)
    while len(took) < times:
        task.fill()
        took += _timed(torch, device, task.run, min(_IN_A_ROW, times - len(took)))
    correct = task.right() and correct
    total = elements * dtype.itemsize
    algorithm = total / statistics.median(took) / 1e9
    return {
        "operation": name,
        "busbw_gb_s": algorithm * task.factor * (group.ranks - 1) / group.ranks,
        "algbw_gb_s": algorithm,
        "bytes": total,
        "dtype": "bf16" if device.type == "cuda" else "fp32",
        "ranks": group.ranks,
        "correct": correct,
    }


class _Task:
    """A collective on whole numbers that every process can make for all of them, so small that their sum is exact."""

    factor = 1

    def __init__(self, torch: Any, device: Any, dtype: Any, group: Group, elements: int) -> None:
        self.torch, self.device, self.dtype, self.group = torch, device, dtype, group
        self.part = elements // group.ranks
        self.data = torch.empty(elements, device=device, dtype=dtype)
        self.fill()

    def numbers(self, rank: int) -> Any:
        """Make a process's numbers: one tile of them."""
        below = max(2, min(8, _EXACT // self.group.ranks + 1))
        generator = self.torch.Generator().manual_seed(rank)
        return self.torch.randint(below, (_TILE,), generator=generator).to(device=self.device, dtype=self.dtype)

    def total(self) -> Any:
        """Sum all processes' numbers."""
        return sum(self.numbers(rank) for rank in range(self.group.ranks))

    def right(self) -> bool:
        """Do it once, and compare the whole result."""
        self.fill()
        self.run()
        return self.compare()

    def fill(self) -> None:
        """Put this process's numbers in, and what is wrong where the result will be."""
        raise NotImplementedError

    def run(self) -> None:
        """Do it once."""
        raise NotImplementedError

    def compare(self) -> bool:
        """Compare the result with what it should be."""
        raise NotImplementedError

    def _tiled(self, tensor: Any) -> Any:
        return tensor.view(-1, _TILE)


class _AllReduce(_Task):
    factor = 2

    def fill(self) -> None:
        self._tiled(self.data).copy_(self.numbers(self.group.rank).expand(self.data.numel() // _TILE, _TILE))

    def run(self) -> None:
        self.torch.distributed.all_reduce(self.data)

    def compare(self) -> bool:
        return bool((self._tiled(self.data) == self.total()).all())


class _ReduceScatter(_AllReduce):
    factor = 1

    def fill(self) -> None:
        super().fill()
        self.result = self.torch.full((self.part,), -1, device=self.device, dtype=self.dtype)

    def run(self) -> None:
        _function(self.torch, "reduce_scatter_single", "reduce_scatter_tensor")(self.result, self.data)

    def compare(self) -> bool:
        return bool((self._tiled(self.result) == self.total()).all())


class _AllGather(_Task):
    def fill(self) -> None:
        self.mine = self.numbers(self.group.rank).repeat(self.part // _TILE)
        self.data.fill_(-1)

    def run(self) -> None:
        _function(self.torch, "all_gather_single", "all_gather_into_tensor")(self.data, self.mine)

    def compare(self) -> bool:
        parts = self.data.view(self.group.ranks, -1, _TILE)
        return all(bool((part == self.numbers(rank)).all()) for rank, part in enumerate(parts))


_TASKS: dict[str, type[_Task]] = {ALL_REDUCE: _AllReduce, REDUCE_SCATTER: _ReduceScatter, ALL_GATHER: _AllGather}


def _function(torch: Any, *names: str) -> Callable[[Any, Any], Any]:
    """Find a function that newer versions of PyTorch have renamed."""
    found: Callable[[Any, Any], Any] = next(getattr(torch.distributed, name) for name in names if hasattr(torch.distributed, name))
    return found


def _timed(torch: Any, device: Any, run: Callable[[], Any], times: int) -> list[float]:
    """Time it so many times; all begin together."""
    torch.distributed.barrier()
    return laps(torch, device, run, times)


def _agreed_times(torch: Any, device: Any, task: _Task, seconds: float) -> int:
    """Agree how often it is done within these seconds, by whoever is slowest; this warms up as well."""
    began = time.monotonic()
    _timed(torch, device, task.run, 2)
    one = _agree(torch, device, (time.monotonic() - began) / 2, torch.distributed.ReduceOp.MAX)
    return max(_LEAST_TIMES, min(_MOST_TIMES, int(seconds / one)))


def _fitting(torch: Any, device: Any, sizes: Sequence[int]) -> list[int]:
    """Leave out what does not fit the smallest GPU, but for the smallest size."""
    most = torch.cuda.get_device_properties(device).total_memory // _PART_OF_MEMORY if device.type == "cuda" else max(sizes)
    most = _agree(torch, device, most, torch.distributed.ReduceOp.MIN)
    return [size for size in sizes if size <= most] or [min(sizes)]


def _agree(torch: Any, device: Any, value: float, how: Any) -> float:
    agreed = torch.tensor([value], device=device, dtype=torch.float64)
    torch.distributed.all_reduce(agreed, op=how)
    return float(agreed.item())
