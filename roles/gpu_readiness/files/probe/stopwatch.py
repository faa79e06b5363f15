"""Times work by the clock of the device that does it: on a GPU by events in its stream, so that starting the work costs nothing."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

_WARM_UP = 3
_BATCH_S = 0.05  # so much work is queued before anybody waits for it
_MOST_IN_A_BATCH = 64


def laps(torch: Any, device: Any, work: Callable[[], Any], times: int) -> list[float]:
    """Do the work so many times without a pause, and return what each took, in seconds."""
    if device.type == "cpu":
        marks = [time.perf_counter()]
        for _ in range(times):
            work()
            marks.append(time.perf_counter())
        return [later - sooner for sooner, later in zip(marks, marks[1:])]
    events = [torch.cuda.Event(enable_timing=True) for _ in range(times + 1)]
    stream = torch.cuda.current_stream(device)
    events[0].record(stream)
    for event in events[1:]:
        work()
        event.record(stream)
    events[-1].synchronize()
    return [sooner.elapsed_time(later) / 1000 for sooner, later in zip(events, events[1:])]


def warm_up(torch: Any, device: Any, work: Callable[[], Any], times: int = _WARM_UP) -> float:
    """Do the work a few times, which counts for nothing, and return about what it takes then, in seconds."""
    return laps(torch, device, work, times)[-1]


def repeat(  # noqa: PLR0913, PLR0917 - what is done, for how long, and what between
    torch: Any, device: Any, work: Callable[[], Any], seconds: float, least: int, after: Callable[[], Any] | None = None
) -> list[float]:
    """Warm up, then do the work for so many seconds, `least` times at least; `after` each batch of it something else may be done."""
    one = max(warm_up(torch, device, work), 1e-9)
    batch = max(1, min(_MOST_IN_A_BATCH, int(min(_BATCH_S, seconds) / one)))
    took: list[float] = []
    end = time.monotonic() + seconds
    while len(took) < least or time.monotonic() < end:
        took += laps(torch, device, work, batch)
        if after:
            after()
    return took


def spread_percent(values: Sequence[float]) -> float:
    """Say how far nine tenths are from one tenth of the values, in percent of the median."""
    deciles = statistics.quantiles(values, n=10) if len(values) > 1 else [values[0]]
    return round(100 * (deciles[-1] - deciles[0]) / statistics.median(values), 2)
