"""Copies between host and GPU with pinned memory, one GPU at a time: what its own link can do.

The memory lies once on each NUMA node and the best figure counts: which processor a GPU hangs on is no property of its link.
"""

from __future__ import annotations

import contextlib
import os
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stopwatch import repeat

_LEAST_TIMES = 5
_BYTES = {"cuda": 128 << 20, "cpu": 4 << 20}
_NODES = Path("/sys/devices/system/node")


def measure(torch: Any, device: Any, seconds: float, nodes: Path = _NODES) -> dict[str, Any]:
    """Measure both ways, and compare what came back with what was sent."""
    places = numa_nodes(nodes) or {-1: os.sched_getaffinity(0)}
    size = _BYTES[device.type]
    pattern = torch.empty(size // 4, device=device, dtype=torch.int32).random_()
    back = torch.empty_like(pattern)
    best = {"to_device": (0.0, -1), "from_device": (0.0, -1)}
    correct, kept = True, []
    for node, processors in places.items():
        with _on(processors):  # its memory is that of the node on whose processors it is touched first
            host = torch.empty(size // 4, dtype=torch.int32, pin_memory=device.type == "cuda")
            kept.append(host)  # PyTorch would hand out the memory of one that is gone again, wherever it lies
            for way, target, source in (("from_device", host, pattern), ("to_device", back, host)):
                took = repeat(torch, device, _copy(target, source), seconds / len(places) / 2, _LEAST_TIMES)
                best[way] = max(best[way], (size / statistics.median(took) / 1e9, node))
            correct = correct and bool(torch.equal(pattern, back))
            back.zero_()
    return {
        "to_device_gb_s": best["to_device"][0],
        "from_device_gb_s": best["from_device"][0],
        "bytes": size,
        "numa_node": best["to_device"][1],
        "correct": correct,
    }


def numa_nodes(nodes: Path) -> dict[int, set[int]]:
    """Return the processors of each NUMA node on which this process may run."""
    allowed = os.sched_getaffinity(0)
    found = {}
    for folder in sorted(nodes.glob("node[0-9]*")):
        with contextlib.suppress(OSError, ValueError):
            processors = _numbers((folder / "cpulist").read_text(encoding="ascii")) & allowed
            if processors:  # a node may be memory alone
                found[int(folder.name[4:])] = processors
    return found


def _numbers(text: str) -> set[int]:
    """Read the kernel's way to write a set of numbers: 0-3,8."""
    numbers: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _dash, last = part.partition("-")
        numbers |= set(range(int(first), int(last or first) + 1))
    return numbers


@contextlib.contextmanager
def _on(processors: set[int]) -> Iterator[None]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _copy(target: Any, source: Any) -> Any:
    return lambda: target.copy_(source, non_blocking=True)
