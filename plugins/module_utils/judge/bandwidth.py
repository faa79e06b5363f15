"""The bandwidth of each GPU's own memory, against its model's peak and the node's other GPUs."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.measured import (
    GB_S,
    Figure,
    Gate,
    conditions,
    each_rank,
    gated,
    like_its_peers,
    next_step,
    row_of,
    sampled,
    strictest,
    wrong_gpu,
)
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Observation
from ansible_collections.gpu.fleet.plugins.module_utils.observation_probe import Rank
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_PHASE = "memory"
_NO_CAUSE = "nothing that NVML tells explains it: look at ECC errors and row remapping, and measure again"


def memory(observation: Observation, expectation: Expectation, tables: Tables) -> list[Finding]:
    """Require a right copy, at a part of the memory's peak (a copy reaches 0.75 to 0.95 of it), and not much slower than on the others."""
    ranks = observation.probe.value.ranks if observation.probe.is_known else ()
    speeds = [rank.memory.value.gb_s for rank in ranks if rank.memory.is_known]

    def judge(about: About, rank: Rank, gpu: Gpu | None) -> Finding:
        absent = about.without(memory_bandwidth=rank.memory)
        if absent:
            return absent
        result, probe = rank.memory.value, observation.probe.value
        on_cpu = probe.device == "cpu"
        if not result.correct:
            return wrong_gpu(about, "a copy in its own memory that differs from what was copied", "the data that was copied", on_cpu=on_cpu)
        seen = sampled(probe, rank, gpu, _PHASE)
        told = f"{result.gb_s:.4g} {GB_S} in its memory (copying {result.bytes / 1e9:.3g} GB, read and written)"
        told += "" if on_cpu else f", {conditions(seen)}"
        row, why = row_of(gpu, tables)
        part = expectation.peak_fraction
        by_peak = (
            Gate(row.memory_peak_gb_s * part, f"{part:g} of the peak {row.memory_peak_gb_s:g}: {row.cited}") if row else Gate(None, why)
        )
        gate = strictest([by_peak, like_its_peers(speeds, expectation.straggler_percent, why)], f"{why}, and too few GPUs to compare")
        return gated(about, Figure(told, result.gb_s, GB_S), gate, next_step(seen, _NO_CAUSE), on_cpu=on_cpu)

    return each_rank("memory_bandwidth", observation, judge)
