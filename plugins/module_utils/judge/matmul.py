"""The matrix product: does each GPU compute right, as fast as its model does, and as fast as the node's others."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.measured import (
    MATMUL_PHASE,
    TFLOPS,
    Figure,
    Gate,
    conditions,
    each_rank,
    gated,
    held_down_in,
    like_its_peers,
    next_step,
    row_of,
    sampled,
    strictest,
    wrong_gpu,
)
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Observation
from ansible_collections.gpu.fleet.plugins.module_utils.observation_probe import Matmul, Rank
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from ansible_collections.gpu.fleet.plugins.module_utils.tables import GpuReference, Tables

_FP8_PHASE = "matmul_fp8"
# The table's measured figures are of the best of many shapes, in bursts too short to meet the power limit. How much of them this product
# reaches, on all GPUs at once and for tens of seconds, is a judgement and not measured: short runs on an H100 were published from 668 to
# 798 of its 794 TFLOP/s, and sustained ones are lower.
_SUSTAINED = 0.83
# Where nobody has published a measured figure. A judgement too, so coarse that a card that its power limit holds far below its peak passes.
_OF_THE_PEAK = 0.3
_TRUTH = "a product computed in double precision on the CPU"
_NO_CAUSE = (
    "nothing that NVML tells explains it: measure again, look who else uses the GPU, then swap it with a good one to see what stays slow"
)


def product(observation: Observation, expectation: Expectation, tables: Tables) -> list[Finding]:
    """Require a right product, at a part of what was measured on this model, and not much slower than on the node's other GPUs."""
    speeds = _speeds(observation, "matmul")

    def gate(gpu: Gpu | None, result: Matmul) -> Gate:
        row, why = row_of(gpu, tables)
        published = Gate(None, why or "no figure for this type of number is known")
        if row and row.matmul_dtype == result.dtype:
            published, why = by_table(row, expectation.gate_fraction)
        few = f"{why + ', and ' if why else ''}{len(speeds)} GPUs are too few to compare"
        return strictest([published, like_its_peers(speeds, expectation.straggler_percent, why)], few)

    return each_rank("matmul", observation, lambda about, rank, gpu: _judge(about, rank, gpu, rank.matmul, observation, gate, MATMUL_PHASE))


def by_table(row: GpuReference, fraction: float) -> tuple[Gate, str]:
    """Return the gate for a model's product, and what is missing for a better one."""
    known, peak = row.matmul_measured_tflops, row.matmul_peak_tflops
    if known:
        share = fraction * _SUSTAINED
        return Gate(known * share, f"{share:.2g} of {known:g}, the best in short bursts: {row.cited}"), ""
    return Gate(peak * _OF_THE_PEAK, f"{_OF_THE_PEAK:g} of the peak {peak:g}: {row.cited}"), "no measured figure for this model is known"


def fp8(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require the same of fp8, for which the table has no figures."""
    speeds = _speeds(observation, "matmul_fp8")
    none = f"no figure is known, and {len(speeds)} GPUs are too few to compare"

    def gate(_gpu: Gpu | None, _result: Matmul) -> Gate:
        return strictest([like_its_peers(speeds, expectation.straggler_percent)], none)

    return each_rank(
        "matmul_fp8", observation, lambda about, rank, gpu: _judge(about, rank, gpu, rank.matmul_fp8, observation, gate, _FP8_PHASE)
    )


def clocks(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require that clocks are not held down by heat or the power supply while all GPUs compute, even where the speed is still enough."""

    def judge(about: About, rank: Rank, gpu: Gpu | None) -> Finding:
        if observation.probe.value.device == "cpu":
            return about.skipped("the GPUs did not compute: the probe ran on the CPU")
        seen = sampled(observation.probe.value, rank, gpu)
        absent = about.without(conditions_under_load=seen)
        if absent:
            return absent
        absent = about.without(clock_event_reasons_under_load=seen.value.event_reasons)
        if absent:
            return absent
        bad = held_down_in(seen.value)
        if not bad:
            return about.passed(f"clocks not held down under load, {conditions(seen)}", observed=[], expected=[], source="NVML")
        return about.failed(
            f"found clocks held down under load by {', '.join(name for name, _share, _advice in bad)}, {conditions(seen)}; "
            f"expected none: {bad[-1][2]}",
            observed=[name for name, _share, _advice in bad],
            expected=[],
            source="NVML",
            action="investigate",
            kills_job=False,
        )

    return each_rank("clocks_under_load", observation, judge)


def _judge(  # noqa: PLR0913, PLR0917 - what was measured, whose it is, and its gate
    about: About,
    rank: Rank,
    gpu: Gpu | None,
    found: Reading[Matmul],
    observation: Observation,
    gate: Callable[[Gpu | None, Matmul], Gate],
    phase: str,
) -> Finding:
    absent = about.without(matrix_product=found)
    if absent:
        return absent
    result, probe = found.value, observation.probe.value
    on_cpu = probe.device == "cpu"
    if not result.correct:
        what = f"a matrix product ({result.dtype}) off by {result.worst_error:.3g} standard deviations"
        return wrong_gpu(about, what, _TRUTH, on_cpu=on_cpu, observed=result.worst_error)
    seen = sampled(probe, rank, gpu, phase)
    told = f"{result.tflops:.4g} {TFLOPS} ({result.dtype}, {result.size}^3, spread {result.spread_percent:.2g} %)"
    told += "" if on_cpu else f", {conditions(seen)}"
    return gated(about, Figure(told, result.tflops, TFLOPS), gate(gpu, result), next_step(seen, _NO_CAUSE), on_cpu=on_cpu)


def _speeds(observation: Observation, part: str) -> list[float]:
    ranks = observation.probe.value.ranks if observation.probe.is_known else ()
    found: list[Reading[Matmul]] = [getattr(rank, part) for rank in ranks]
    return [each.value.tflops for each in found if each.is_known]
