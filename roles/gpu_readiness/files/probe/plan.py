"""How much time each part of the measurement gets, and which sizes it takes, by level.

The time of a level is an aim for the whole: what starting has taken of it, measuring does without. What hangs has a limit of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

QUICK, STANDARD, BURN_IN = "quick", "standard", "burn_in"
LEVELS = (QUICK, STANDARD, BURN_IN)

_AIM_S = {QUICK: 15.0, STANDARD: 60.0, BURN_IN: 60.0}  # a burn-in begins with what standard measures
_STARTING_S = 8.0  # what CUDA on every GPU, and the first collective, still take
_LEAST_S = 4.0
_CPU_S = {QUICK: 1.5, STANDARD: 3.0, BURN_IN: 1.5}  # it proves the path: longer proves no more
_SHARES = {"peers": 0.1, "matmul": 0.45, "matmul_fp8": 0.1, "memory": 0.05, "host": 0.1, "collectives": 0.2}
_MIB = 1 << 20
_SIZES = {
    "cuda": {QUICK: (64, 1024), STANDARD: (8, 64, 256, 1024), BURN_IN: (8, 64, 256, 1024, 8192)},
    "cpu": {QUICK: (4,), STANDARD: (1, 4), BURN_IN: (1, 4)},
}


@dataclass(frozen=True)
class Plan:
    """The seconds for each part, and the sizes of the all-reduces, in bytes."""

    seconds: dict[str, float]
    sizes: tuple[int, ...]


def plan(level: str, device: str, elapsed: float) -> Plan:
    """Plan, once `elapsed` seconds have passed."""
    whole = _CPU_S[level] if device == "cpu" else max(_LEAST_S, _AIM_S[level] - elapsed - _STARTING_S)
    sizes = tuple(size * _MIB for size in _SIZES[device][level])
    return Plan({part: whole * share for part, share in _SHARES.items()}, sizes)
