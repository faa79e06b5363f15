"""A matrix product: how fast (dense, on random data, by the device's own clock), and whether the result is right."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from typing import Any

_WARM_UP = 5
_TIMES = {"cuda": 30, "cpu": 5}
_BIG, _SMALL, _CPU = 8192, 4096, 512
_BIG_NEEDS_BYTES = 12 << 30
_BF16_NEEDS = (8, 0)
_ROWS, _COLUMNS = 4, 64
# Of the result's standard deviation: what rounding may explain.
_TOLERANCE = {"bfloat16": 0.05, "float16": 0.01, "float32": 0.001}
_NAMES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}


def identity(torch: Any, device: Any) -> dict[str, str]:
    """Say which GPU this is."""
    if device.type == "cpu":
        return {"uuid": "", "name": "CPU"}
    properties = torch.cuda.get_device_properties(device)
    uuid = str(getattr(properties, "uuid", ""))
    return {"uuid": f"GPU-{uuid}" if uuid and not uuid.startswith("GPU-") else uuid, "name": properties.name}


def measure(torch: Any, device: Any) -> dict[str, Any]:
    """Measure, and compare with what it should be."""
    size, dtype = _plan(torch, device)
    torch.manual_seed(1)
    left = torch.randn(size, size, device=device).to(dtype)
    right = torch.randn(size, size, device=device).to(dtype)
    first = left @ right
    for _ in range(_WARM_UP):
        result = left @ right
    seconds = []
    for _ in range(_TIMES[device.type]):
        took = _clock(torch, device)
        result = left @ right
        seconds.append(took())
    worst = max(_error(torch, left, right, result), (first - result).abs().max().item() / math.sqrt(size), key=_nan_last)
    name = str(dtype).rsplit(".", 1)[-1]
    median = statistics.median(seconds)
    deciles = statistics.quantiles(seconds, n=10)
    return {
        "tflops": 2 * size**3 / median / 1e12,
        "spread_percent": round(100 * (deciles[-1] - deciles[0]) / median, 2),
        "dtype": _NAMES[name],
        "size": size,
        "correct": worst <= _TOLERANCE[name],
        "worst_error": worst if math.isfinite(worst) else 1e30,
    }


def _plan(torch: Any, device: Any) -> tuple[int, Any]:
    """Choose a size that fills the chip and fits it, and the type in which it is trained on."""
    if device.type == "cpu":
        return _CPU, torch.float32
    properties = torch.cuda.get_device_properties(device)
    dtype = torch.bfloat16 if (properties.major, properties.minor) >= _BF16_NEEDS else torch.float16
    return (_BIG if properties.total_memory >= _BIG_NEEDS_BYTES else _SMALL), dtype


def _clock(torch: Any, device: Any) -> Callable[[], float]:
    """Start a stopwatch; what it returns stops it and says the seconds."""
    if device.type == "cpu":
        began = time.perf_counter()
        return lambda: time.perf_counter() - began
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()

    def stop() -> float:
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end)) / 1000

    return stop


def _error(torch: Any, left: Any, right: Any, result: Any) -> float:
    """Compare a sample of the result with the same computed in double precision on the CPU, in standard deviations."""
    size = left.shape[0]
    rows = torch.randint(size, (_ROWS,), device=left.device)
    columns = torch.randint(size, (_COLUMNS,), device=left.device)
    expected = left[rows].double().cpu() @ right[:, columns].double().cpu()
    return float((result[rows][:, columns].double().cpu() - expected).abs().max().item()) / math.sqrt(size)


def _nan_last(value: float) -> float:
    return math.inf if math.isnan(value) else value
