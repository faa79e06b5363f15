"""The bandwidth of a GPU's own memory, by copying one half of a large buffer to the other; a copied byte is read once and written once."""

from __future__ import annotations

import statistics
from typing import Any

from stopwatch import repeat, spread_percent

_LEAST_TIMES = 5
_MOST_BYTES = 4 << 30
_CPU_BYTES = 16 << 20
_PART_OF_MEMORY = 8


def measure(torch: Any, device: Any, seconds: float) -> dict[str, Any]:
    """Measure, and compare the copy with what was copied."""
    size = _CPU_BYTES
    if device.type == "cuda":
        size = min(_MOST_BYTES, torch.cuda.get_device_properties(device).total_memory // _PART_OF_MEMORY) & ~0xFFF
    source = torch.empty(size // 4, device=device, dtype=torch.int32).random_()
    target = torch.empty_like(source)
    took = repeat(torch, device, lambda: target.copy_(source), seconds, _LEAST_TIMES)
    return {
        "gb_s": 2 * size / statistics.median(took) / 1e9,
        "spread_percent": spread_percent(took),
        "bytes": size,
        "correct": bool(torch.equal(source, target)),
    }
