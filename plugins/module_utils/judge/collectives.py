"""Collectives between all GPUs of the node: right, and as fast as a node of this model does."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.measured import GB_S, Figure, Gate, gated, row_of, unmeasured, wrong
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import answering, node
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation
from ansible_collections.gpu.fleet.plugins.module_utils.observation_probe import Collective
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_PUBLISHED_FROM = 1e9  # bytes: what is published was measured with so many or more
_TRUTH = "whole numbers, which every process can sum exactly"
_SLOW = "look at the NVLinks, at the kernel log, at GPUs that are slow by themselves, and at NCCL's own log (NCCL_DEBUG=INFO)"
_WRONG = "measure again with NCCL_NVLS_ENABLE=0, and look for the GPU whose own checks fail, at NVLinks and switches"


def all_reduce(observation: Observation, expectation: Expectation, tables: Tables) -> list[Finding]:
    """Require right sums, and of the largest size a part of the published bandwidth."""

    def gate(result: Collective) -> Gate:
        rows = {row_of(gpu, tables)[0] for gpu in answering(observation)}
        row = rows.pop() if len(rows) == 1 else None
        known = row.allreduce_busbw_gb_s if row and row.allreduce_gpus == result.ranks else None
        if not row or not known:
            return Gate(None, f"no gate: no figure for {result.ranks} GPUs of this model is known")
        if result.bytes < _PUBLISHED_FROM:
            return Gate(None, "no gate: published figures are of larger sizes")
        fraction = expectation.gate_fraction
        return Gate(known * fraction, f"{fraction:g} of {known:g} ({row.allreduce_conditions}): {row.cited}")

    return _judge("allreduce", "all_reduce", observation, gate)


def reduce_scatter(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require right sums; no figures are published."""
    return _judge("reduce_scatter", "reduce_scatter", observation, _unpublished)


def all_gather(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require that everybody gets what each has; no figures are published."""
    return _judge("all_gather", "all_gather", observation, _unpublished)


def _unpublished(_result: Collective) -> Gate:
    return Gate(None, "no gate: no figure is published; it is compared with the fleet's other nodes")


def _judge(check: str, operation: str, observation: Observation, gate: Callable[[Collective], Gate]) -> list[Finding]:
    about = About(check, node(observation))
    if not observation.probe.is_known:
        return [unmeasured(about)]
    probe = observation.probe.value
    absent = about.without(collectives=probe.collectives)
    if absent:
        return [absent]
    results = sorted((each for each in probe.collectives.value if each.operation == operation), key=lambda each: each.bytes)
    if not results:
        return [about.error(f"the probe measured no {operation.replace('_', '-')}")]
    largest, name, on_cpu = results[-1], operation.replace("_", "-"), probe.device == "cpu"
    bad = [each for each in results if not each.correct]
    if bad:
        sizes = ", ".join(_size(each) for each in bad)
        return [wrong(about, f"wrong results of the {name} ({sizes}, {largest.ranks} ranks)", _TRUTH, _WRONG, action="investigate")]
    library = f"NCCL {probe.nccl_version}" if probe.backend == "nccl" else probe.backend
    told = f"{largest.busbw_gb_s:.4g} {GB_S} bus bandwidth ({name}, {largest.ranks} ranks, {_size(largest)} {largest.dtype}, {library})"
    smaller = ", ".join(f"{_size(each)}: {each.busbw_gb_s:.4g}" for each in results[:-1])
    told += f"; smaller sizes: {smaller}" if smaller else ""
    return [gated(about, Figure(told, largest.busbw_gb_s, GB_S), gate(largest), _SLOW, on_cpu=on_cpu)]


def _size(result: Collective) -> str:
    return f"{result.bytes / 1e6:.4g} MB"
