"""The burn-in: did each GPU stay right and fast for as long as was asked."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import PASS, About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.measured import (
    GB_S,
    MATMUL_PHASE,
    TFLOPS,
    Figure,
    Gate,
    conditions,
    gated,
    next_step,
    unmeasured,
    whose,
    wrong,
    wrong_gpu,
)
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import node
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation
from ansible_collections.gpu.fleet.plugins.module_utils.observation_probe import BurnIn, BurnInGpu, Rank, Sampled
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

NAME = "burn_in"
_TRUTH = "a product computed in double precision on the CPU, and the first product"
_SUMS = "whole numbers, which every process can sum exactly"
_NO_CAUSE = "nothing that NVML tells explains it: look at the record of the burn-in for when it fell, and who used the node then"
_WRONG_SUMS = "look for the GPU whose own checks fail, at NVLinks and switches, and at the kernel log"


def check(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require that no sample was wrong or lost, none much slower than that GPU's median, and that the burn-in came to its end."""
    about = About(NAME, node(observation))
    if not observation.probe.is_known:
        return [unmeasured(about)]
    absent = about.without(burn_in=observation.probe.value.burn_in)
    if absent:
        return [absent]
    found, on_cpu = observation.probe.value.burn_in.value, observation.probe.value.device == "cpu"
    findings = [finding for gpu in found.gpus if (finding := _of_gpu(gpu, observation, expectation, on_cpu=on_cpu))]
    if found.allreduce_wrong:
        what = f"wrong sums in {found.allreduce_wrong} of {found.samples} samples of the burn-in"
        findings.append(wrong(about, what, _SUMS, _WRONG_SUMS, action="investigate"))
    if found.allreduce_missing:
        findings.append(about.error(f"the all-reduce failed during the burn-in: {found.allreduce_missing}"))
    if not found.whole:
        kept = (
            f"it is not kept ({found.not_kept}), so it starts anew" if found.not_kept else "check again with level burn_in, and it goes on"
        )
        findings.append(about.error(f"the burn-in ran for {found.done_s:.0f} of {found.asked_s:.0f} s: {kept}"))
    told = f"{found.done_s:.0f} s, {found.samples} samples, since {found.started_at}: {_figures(found)}"
    return findings or [about.passed(told, observed=found.done_s, expected=found.asked_s, source="the level")]


def _of_gpu(gpu: BurnInGpu, observation: Observation, expectation: Expectation, *, on_cpu: bool) -> Finding | None:
    """Return what is wrong with one GPU."""
    probe = observation.probe.value
    rank = next((each for each in probe.ranks if each.rank == gpu.rank), None)
    about = About(NAME, whose(rank, probe, observation)[0] if isinstance(rank, Rank) else node(observation))
    if gpu.wrong:
        return wrong_gpu(about, f"wrong matrix products in {gpu.wrong} samples of the burn-in", _TRUTH, on_cpu=on_cpu, observed=gpu.wrong)
    if gpu.missing:
        return about.error(f"a matrix product failed during the burn-in: {gpu.missing}")
    absent = about.without(matrix_products=gpu.tflops)
    if absent or on_cpu:
        return absent
    low, middle, allowed = gpu.tflops.value.low, gpu.tflops.value.median, expectation.straggler_percent
    seen = Reading.of(
        Sampled(gpu.uuid, MATMUL_PHASE, 0, gpu.clock_mhz, gpu.power_w, gpu.temperature_c, Reading.unsupported(""), gpu.event_reasons)
    )
    gate = Gate(middle * (1 - allowed / 100), f"{allowed:g} % below {middle:.4g}, this GPU's own median")
    figure = Figure(f"{low:.4g} {TFLOPS} in its slowest sample, {conditions(seen)}", low, TFLOPS)
    finding = gated(about, figure, gate, next_step(seen, _NO_CAUSE))
    return None if finding.status == PASS else finding


def _figures(found: BurnIn) -> str:
    speeds = [gpu.tflops.value for gpu in found.gpus if gpu.tflops.is_known]
    parts = [f"{min(each.low for each in speeds):.4g} to {max(each.high for each in speeds):.4g} {TFLOPS}"] if speeds else []
    if found.allreduce_gb_s.is_known:
        parts.append(f"all-reduce {found.allreduce_gb_s.value.low:.4g} to {found.allreduce_gb_s.value.high:.4g} {GB_S}")
    return ", ".join(parts)
