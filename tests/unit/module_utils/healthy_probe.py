"""What the probe measures on a healthy node with eight H100, as data; tests change what they are about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.observation_probe import (
    Bandwidth,
    BurnIn,
    BurnInGpu,
    Collective,
    HostCopies,
    Matmul,
    PeerCopy,
    Phase,
    Probe,
    Rank,
    Sampled,
    Spread,
)
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

H100 = "NVIDIA H100 80GB HBM3"
COUNT = 8
PHASES = ("matmul", "matmul_fp8", "memory", "host")

known = Reading.of


def matmul(**changes: Any) -> Matmul:
    good = {"tflops": 780.0, "spread_percent": 1.0, "tflops_over_time": (785.0, 780.0, 778.0), "dtype": "bf16", "size": 8192}
    return Matmul(**{**good, "correct": True, "worst_error": 0.01, **changes})


def rank(index: int, **changes: Any) -> Rank:
    healthy = {
        "uuid": f"GPU-{index}",
        "name": H100,
        "matmul": known(matmul()),
        "matmul_fp8": known(matmul(tflops=1350.0, dtype="fp8")),
        "memory": known(Bandwidth(2990.0, 0.4, 4 << 30, correct=True)),
        "host": known(HostCopies(54.1, 52.7, 128 << 20, 0, correct=True)),
    }
    return Rank(index, **{**healthy, **changes})


def ranks(**of_rank_3: Any) -> tuple[Rank, ...]:
    """Make all ranks; rank 3 is changed."""
    return tuple(rank(index, **(of_rank_3 if index == 3 else {})) for index in range(COUNT))


def peers(**changes: Any) -> Reading[tuple[PeerCopy, ...]]:
    """Make the matrix; the copies from 3 to 5 are changed."""
    good = PeerCopy(0, 0, 382.0, direct=True, bytes=256 << 20, correct=True)
    pairs = [replace(good, source=one, target=other) for one in range(COUNT) for other in range(COUNT) if one != other]
    return known(tuple(replace(pair, **changes) if (pair.source, pair.target) == (3, 5) else pair for pair in pairs))


def collective(operation: str = "all_reduce", **changes: Any) -> Collective:
    good = {"busbw_gb_s": 470.0, "algbw_gb_s": 268.6, "bytes": 1 << 30, "dtype": "bf16", "ranks": COUNT, "correct": True}
    return Collective(**{"operation": operation, **good, **changes})


def collectives(**of_the_largest_all_reduce: Any) -> Reading[tuple[Collective, ...]]:
    small = collective(busbw_gb_s=95.0, bytes=8 << 20)
    others = (collective("reduce_scatter", busbw_gb_s=360.0), collective("all_gather", busbw_gb_s=365.0))
    return known((small, collective(**of_the_largest_all_reduce), *others))


def sampled(index: int, phase: str = "matmul", **changes: Any) -> Sampled:
    calm: dict[str, Any] = {
        "samples": 60,
        "clock_mhz": known(Spread(1700.0, 1755.0, 1980.0)),
        "power_w": known(Spread(640.0, 695.0, 700.0)),
        "temperature_c": known(Spread(48.0, 63.0, 66.0)),
        "pcie_generation": known(Spread(5.0, 5.0, 5.0)),
        "event_reasons": known({"0x4": 0.9}),
    }
    return Sampled(f"GPU-{index}", phase, **{**calm, **changes})


def samples(**of_gpu_3: Any) -> Reading[tuple[Sampled, ...]]:
    """Make what NVML told of all GPUs; GPU 3 is changed."""
    return known(tuple(sampled(index, phase, **(of_gpu_3 if index == 3 else {})) for phase in PHASES for index in range(COUNT)))


def burn_in(**of_gpu_3: Any) -> Reading[BurnIn]:
    """Make a whole burn-in; GPU 3 is changed."""
    good: dict[str, Any] = {
        "tflops": known(Spread(765.0, 775.0, 781.0)),
        "wrong": 0,
        "missing": "",
        "temperature_c": known(Spread(48.0, 65.0, 69.0)),
        "power_w": known(Spread(640.0, 695.0, 700.0)),
        "clock_mhz": known(Spread(1700.0, 1755.0, 1980.0)),
        "event_reasons": known({"0x4": 0.9}),
    }
    gpus = tuple(BurnInGpu(index, f"GPU-{index}", **{**good, **(of_gpu_3 if index == 3 else {})}) for index in range(COUNT))
    return known(BurnIn(3600.0, 3598.7, "2026-01-01T00:00:00Z", 120, "", gpus, known(Spread(470.0, 474.0, 476.0)), 0, ""))


def probe(**changes: Any) -> Probe:
    good = {
        "device": "cuda",
        "device_reason": "PyTorch sees GPUs",
        "backend": "nccl",
        "torch_version": "2.7.1+cu126",
        "cuda_version": "12.6",
        "nccl_version": "2.26.2",
        "gpus_seen": COUNT,
        "level": "standard",
        "stopped": "",
        "ranks": ranks(),
        "peers": peers(),
        "collectives": collectives(),
        "phases": (Phase("matmul", 100.0, 119.0),),
        "measuring_s": 44.0,
        "duration_s": 58.0,
        "image": Reading.unsupported("not measured in an image"),
        "sampled": samples(),
        "burn_in": Reading.unsupported("only level burn_in does it"),
    }
    return Probe(**{**good, **changes})


def cpu_probe(**changes: Any) -> Probe:
    on_cpu = {
        "uuid": "",
        "name": "CPU",
        "matmul": known(matmul(tflops=0.03, dtype="fp32", size=512)),
        "matmul_fp8": Reading.unsupported("this device has no fp8"),
    }
    small = {"dtype": "fp32", "ranks": 2, "bytes": 4 << 20, "busbw_gb_s": 0.5}
    found = {
        "device": "cpu",
        "device_reason": "asked for",
        "backend": "gloo",
        "torch_version": "2.7.1",
        "gpus_seen": 0,
        "ranks": tuple(rank(index, **on_cpu) for index in range(2)),
        "peers": known((PeerCopy(0, 1, 7.0, direct=False, bytes=1 << 20, correct=True),)),
        "collectives": known(tuple(collective(name, **small) for name in ("all_reduce", "reduce_scatter", "all_gather"))),
    }
    return probe(**{**found, **changes})
