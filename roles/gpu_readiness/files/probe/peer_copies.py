"""Copies from each GPU to each other, as a matrix. A tournament: in each round a GPU has one partner, and no two copies share a link end.

One process does it, since it needs a context on every GPU; it runs before the others, so that nothing else works meanwhile.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

from stopwatch import laps

_BYTES = {"cuda": 256 << 20, "cpu": 1 << 20}
_TILE = 1 << 18  # elements of the random pattern that is repeated
_LEAST_TIMES, _MOST_TIMES = 3, 20

Pair = tuple[int, int]


def rounds(count: int) -> list[list[Pair]]:
    """Pair everybody with everybody: rounds in which each takes part once at most (the circle method)."""
    ring = [*range(count), *([-1] if count % 2 else [])]  # who meets -1 has a rest
    half, found = len(ring) // 2, []
    for _ in range(len(ring) - 1):
        found.append([(one, other) for one, other in zip(ring[:half], reversed(ring[half:])) if -1 not in (one, other)])
        ring = [ring[0], ring[-1], *ring[1:-1]]
    return found


def measure(torch: Any, devices: Sequence[Any], seconds: float) -> list[dict[str, Any]]:
    """Measure every pair both ways, and compare what arrived with what was sent."""
    size = _BYTES[devices[0].type]
    pattern = torch.empty(_TILE, dtype=torch.int32).random_()
    truth = [pattern.to(device).repeat(size // 4 // _TILE) for device in devices]
    sent = [each ^ place for place, each in enumerate(truth)]  # everybody sends something else
    arrived = [torch.empty_like(each) for each in truth]
    ways = [way for pairs in rounds(len(devices)) for way in (pairs, [(other, one) for one, other in pairs])]
    copies = []
    for way in ways:
        took = _time(torch, devices, sent, arrived, way, seconds / len(ways))
        for (source, target), each in took.items():
            right = torch.equal(arrived[target], truth[target] ^ source)
            copies.append(
                {
                    "source": source,
                    "target": target,
                    "gb_s": size / statistics.median(each) / 1e9,
                    "direct": devices[0].type == "cuda" and bool(torch.cuda.can_device_access_peer(devices[source], devices[target])),
                    "bytes": size,
                    "correct": bool(right),
                }
            )
    return copies


def _time(  # noqa: PLR0913, PLR0917 - what is copied from where to where, for how long
    torch: Any, devices: Sequence[Any], sent: Sequence[Any], arrived: Sequence[Any], pairs: Sequence[Pair], seconds: float
) -> dict[Pair, list[float]]:
    """Time the copies of one round, all at once; by pair, in seconds."""
    took: dict[Pair, list[float]] = {pair: [] for pair in pairs}
    if devices[0].type == "cpu":
        for source, target in pairs:
            took[source, target] = laps(torch, devices[source], _copy(arrived[target], sent[source]), _LEAST_TIMES)
        return took
    _start(torch, devices, sent, arrived, pairs)  # the first copy of a pair also opens the way
    for device in devices:
        torch.cuda.synchronize(device)
    end = time.monotonic() + seconds
    for count in range(_MOST_TIMES):
        if count >= _LEAST_TIMES and time.monotonic() > end:
            break
        for pair, (began, ended) in _start(torch, devices, sent, arrived, pairs).items():
            ended.synchronize()
            took[pair].append(began.elapsed_time(ended) / 1000)
    return took


def _start(
    torch: Any, devices: Sequence[Any], sent: Sequence[Any], arrived: Sequence[Any], pairs: Sequence[Pair]
) -> dict[Pair, tuple[Any, Any]]:
    """Start one copy of each pair. PyTorch has it done by the stream of the GPU that it comes from, which holds the clock, too."""
    marks = {}
    for source, target in pairs:
        with torch.cuda.device(devices[source]):
            began, ended = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            began.record()
            arrived[target].copy_(sent[source], non_blocking=True)
            ended.record()
        marks[source, target] = (began, ended)
    return marks


def _copy(target: Any, source: Any) -> Any:
    return lambda: target.copy_(source)
