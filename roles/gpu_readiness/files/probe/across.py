"""One process of an all-reduce across nodes: meets the others, sums whole numbers, then measures, and says how far it has come."""

from __future__ import annotations

import contextlib
import ctypes
import datetime as dt
import math
import os
import re
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stopwatch import laps
from workers import Emit

_WARM_UP, _LEAST, _MOST = 2, 3, 50
_NUMBERS = 1 << 16  # elements whose sum is compared
_BELOW = 8  # whole numbers, so small that the sum of all is exact in 32 bits
_TELLING_S = 1.0  # before the round is over for the agent, so that it still hears the figure
_LEAST_WAIT_S = 0.01  # less than a millisecond the store takes for no limit at all
# How far a process has come. In a collective all wait for one: who is behind the others is where to look first.
BEGUN, MET, SUMMED, WARM = range(4)
_NCCL_PATH = re.compile(r"via (NET/[^/\s]+|P2P|SHM)")


@dataclass(frozen=True)
class Place:
    """A process's place among all of a group: `name` is the group's own for this round."""

    name: str
    rank: int
    ranks: int
    meeting: str
    port: int
    rail: str  # the one adapter to use, such as mlx5_3; "" is all


@dataclass(frozen=True)
class Amount:
    """How much to measure: bytes of one all-reduce, for how long, and how long all may take (seconds)."""

    bytes: int
    measure_s: float
    limit_s: float


def measure(torch: Any, device: Any, place: Place, amount: Amount, emit: Emit) -> None:
    """Meet, check, measure: bus bandwidth in GB/s (decimal), 2(n-1)/n of the bytes over the median of the times."""
    log = _set_nccl(place.rail) if device.type == "cuda" else None
    emit({"step": BEGUN})
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist, limit, until = torch.distributed, dt.timedelta(seconds=amount.limit_s), time.monotonic() + amount.limit_s
    store = dist.TCPStore(place.meeting, place.port, is_master=False, wait_for_workers=False, timeout=limit)
    store = dist.PrefixStore(place.name, store)
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        store=store,
        rank=place.rank,
        world_size=place.ranks,
        timeout=limit,
    )
    dist.barrier()
    emit({"step": MET})
    correct = _sums_right(torch, device, place)
    emit({"step": SUMMED})
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    data = torch.randn(amount.bytes // dtype.itemsize, device=device, dtype=dtype)
    for _ in range(_WARM_UP):
        once = _time(torch, device, data, place.ranks)
    emit({"step": WARM})
    times = _agree(torch, device, amount.measure_s / max(once, 1e-6))
    seconds = []
    for number in range(times):
        seconds.append(_time(torch, device, data, place.ranks))
        emit({"step": WARM + 1 + number})
    _part(store, place.ranks, until - _TELLING_S)
    algbw = amount.bytes / statistics.median(seconds) / 1e9
    emit(
        {
            "value": {
                "busbw_gb_s": algbw * 2 * (place.ranks - 1) / place.ranks,
                "bytes": amount.bytes,
                "times": times,
                "correct": correct,
                "transport": _transport(log) if log else "gloo",
            }
        }
    )


def _part(store: Any, ranks: int, until: float) -> None:
    """Wait until all are done: this process ends once it has told its figure, and NCCL may yet be sending to a neighbour.

    Whoever does not come, or takes the store along, does not undo what was measured here.
    """
    with contextlib.suppress(RuntimeError):
        if store.add("done", 1) == ranks:
            store.set("all done", "")
        else:
            store.wait(["all done"], dt.timedelta(seconds=max(_LEAST_WAIT_S, until - time.monotonic())))


def _sums_right(torch: Any, device: Any, place: Place) -> bool:
    """Sum whole numbers that every process can make for all of them; whoever computes or carries wrong is off by a whole one."""
    place_of = torch.arange(_NUMBERS, dtype=torch.int32)

    def numbers(rank: int) -> Any:
        return (place_of * 31 + rank * 17) % _BELOW

    mine = numbers(place.rank).to(device)
    torch.distributed.all_reduce(mine)
    full, rest = divmod(place.ranks, _BELOW)  # numbers() repeats itself after that many ranks
    expected = sum((numbers(rank) * (full + (rank < rest)) for rank in range(_BELOW)), torch.zeros_like(place_of))
    return bool((mine.cpu() == expected).all())


def _agree(torch: Any, device: Any, times: float) -> int:
    """Choose the number of times, the same for all: the least that anybody has time for."""
    mine = torch.tensor([min(_MOST, max(_LEAST, math.floor(times)))], device=device, dtype=torch.int64)
    torch.distributed.all_reduce(mine, op=torch.distributed.ReduceOp.MIN)
    return int(mine.item())


def _time(torch: Any, device: Any, data: Any, ranks: int) -> float:
    """Time one all-reduce in seconds. It is a sum: for NCCL's own mean of bf16 NVLink SHARP and its trees across nodes are switched off.

    The mean is taken after the time is over, so that numbers do not grow out of their type.
    """
    (took,) = laps(torch, device, lambda: torch.distributed.all_reduce(data), 1)
    data /= ranks
    return took


def _set_nccl(rail: str) -> Path:
    """Have NCCL write which way it goes to a file, and use one adapter alone where that is asked for.

    PyTorch's watchdog must not end a process that waits in vain for another node: it would look as if this one had died.
    """
    handle, name = tempfile.mkstemp(prefix="nccl-")
    os.close(handle)
    os.environ.update(NCCL_DEBUG="INFO", NCCL_DEBUG_SUBSYS="INIT,NET,GRAPH", NCCL_DEBUG_FILE=name)
    os.environ.update(TORCH_NCCL_ASYNC_ERROR_HANDLING="0", TORCH_NCCL_ENABLE_MONITORING="0")
    if rail:
        os.environ["NCCL_IB_HCA"] = f"={rail}"
    return Path(name)


def _transport(log: Path) -> str:
    """Read from NCCL's own log how its channels leave the node; "" where it does not say."""
    found = transports(log.read_text(encoding="utf-8", errors="replace"))
    log.unlink()
    return ", ".join(way for way in found if way.startswith("NET/")) or ", ".join(found)


def transports(log: str) -> list[str]:
    """List the ways that NCCL's log names, such as `NET/IB` or `NET/Socket`."""
    return sorted(set(_NCCL_PATH.findall(log)))


def has_verbs() -> bool:
    """Say whether the library is here without which NCCL uses neither InfiniBand nor RoCE, and goes over sockets without a word."""
    try:
        ctypes.CDLL("libibverbs.so.1")
    except OSError:
        return False
    return True


def rails(folder: Path = Path("/sys/class/infiniband")) -> list[str]:
    """List the InfiniBand and RoCE adapters that carry what GPUs exchange: of those with an active port the fastest, by name.

    Slower ones serve storage or management, and one without an active port serves nothing.
    """
    rates = {adapter.name: _rate(adapter) for adapter in folder.iterdir()} if folder.is_dir() else {}
    return sorted(name for name, rate in rates.items() if 0 < rate == max(rates.values()))


def _rate(adapter: Path) -> float:
    """Read the rate of the fastest active port (`4: ACTIVE`, `400 Gb/sec (4X NDR)`); 0 is none."""
    active = [port for port in (adapter / "ports").iterdir() if (port / "state").read_text(encoding="ascii").strip().endswith(": ACTIVE")]
    return max((float((port / "rate").read_text(encoding="ascii").split()[0]) for port in active), default=0.0)
