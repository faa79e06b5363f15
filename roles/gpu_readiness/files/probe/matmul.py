"""A matrix product: how fast (dense, on random data, by the device's own clock), how steadily, and whether each result is right."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

from stopwatch import repeat, spread_percent

_LEAST_TIMES = 5
_BIG, _SMALL, _CPU = 8192, 4096, 512
_BIG_NEEDS_BYTES = 12 << 30
_BF16_NEEDS, _FP8_NEEDS = (8, 0), (8, 9)
_ROWS, _COLUMNS = 4, 64
# Of the result's standard deviation: what rounding may explain. The sums of fp8 products are kept with fewer digits on the way.
_TOLERANCE = {"fp8": 0.2, "bf16": 0.05, "fp16": 0.01, "fp32": 0.001}
_PARTS = 10  # of the whole time, to show how speed changes with heat

Product = Callable[[Any, Any], Any]


def measure(torch: Any, device: Any, seconds: float) -> dict[str, Any]:
    """Measure in the type in which the GPU is trained on: bf16, and fp16 where it has no bf16."""
    name = "fp32" if device.type == "cpu" else "bf16" if torch.cuda.get_device_capability(device) >= _BF16_NEEDS else "fp16"
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[name]
    return _measure(torch, device, seconds, name, dtype, lambda left, right: left @ right.t())


def measure_fp8(torch: Any, device: Any, seconds: float) -> dict[str, Any] | None:
    """Measure in fp8 (e4m3, one scale for all); None where the device has none."""
    if device.type == "cpu" or torch.cuda.get_device_capability(device) < _FP8_NEEDS:
        return None
    one = torch.ones((), device=device, dtype=torch.float32)

    def product(left: Any, right: Any) -> Any:
        return torch._scaled_mm(left, right.t(), scale_a=one, scale_b=one, out_dtype=torch.bfloat16, use_fast_accum=True)  # noqa: SLF001 - PyTorch has no public name for it yet

    return _measure(torch, device, seconds, "fp8", torch.float8_e4m3fn, product)


def _measure(torch: Any, device: Any, seconds: float, name: str, dtype: Any, product: Product) -> dict[str, Any]:  # noqa: PLR0913, PLR0917 - all of them say what is measured
    size = _size(torch, device)
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    results = [product(left, right)]
    first, worst = results[0].clone(), torch.zeros((), device=device)

    def work() -> None:
        results[0] = product(left, right)

    def compare() -> None:
        """Hold the newest product against the first: whole, and after every batch, since heat brings errors late."""
        nonlocal worst
        worst = torch.maximum(worst, (first - results[0]).abs().max().float())  # what is no number stays none

    took = repeat(torch, device, work, seconds, _LEAST_TIMES, compare)
    off = max(_error(left, right, results[0], torch), worst.item() / math.sqrt(size), key=_nan_last)
    operations = 2 * size**3 / 1e12
    part = math.ceil(len(took) / _PARTS)
    return {
        "tflops": operations / statistics.median(took),
        "spread_percent": spread_percent(took),
        "tflops_over_time": [round(operations / statistics.median(took[at : at + part]), 3) for at in range(0, len(took), part)],
        "dtype": name,
        "size": size,
        "correct": off <= _TOLERANCE[name],
        "worst_error": off if math.isfinite(off) else 1e30,
    }


def _size(torch: Any, device: Any) -> int:
    """Choose a size that fills the chip and fits it."""
    if device.type == "cpu":
        return _CPU
    return _BIG if torch.cuda.get_device_properties(device).total_memory >= _BIG_NEEDS_BYTES else _SMALL


def _error(left: Any, right: Any, result: Any, torch: Any) -> float:
    """Compare a sample of the result with the same computed in double precision on the CPU, in standard deviations."""
    size = left.shape[0]
    rows, columns = torch.randint(size, (_ROWS,)), torch.randint(size, (_COLUMNS,))
    expected = _rows(left, rows, torch) @ _rows(right, columns, torch).t()
    found = result.index_select(0, rows.to(result.device)).cpu().double().index_select(1, columns)
    return float((found - expected).abs().max().item()) / math.sqrt(size)


def _rows(matrix: Any, rows: Any, torch: Any) -> Any:
    """Take rows in double precision; of fp8 they are taken as bytes, since few operations know it."""
    if matrix.element_size() == 1:
        return matrix.view(torch.uint8).index_select(0, rows.to(matrix.device)).cpu().view(matrix.dtype).to(torch.float32).double()
    return matrix.index_select(0, rows.to(matrix.device)).cpu().double()


def _nan_last(value: float) -> float:
    return math.inf if math.isnan(value) else value
