"""What checks of measured figures share: whose figure it is, how it is held against its gate, and why it may be low."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding, Subject, at_least, quantity
from ansible_collections.gpu.fleet.plugins.module_utils.judge.clocks import held_down
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import gpu_subject, listed, node, reference
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Observation
from ansible_collections.gpu.fleet.plugins.module_utils.observation_probe import Probe, Rank, Sampled, Spread
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from ansible_collections.gpu.fleet.plugins.module_utils.tables import GpuReference, Tables

TFLOPS, GB_S = "TFLOP/s", "GB/s"
CPU = "CPU, gloo: proves the path, not the GPUs"
MATMUL_PHASE, HOST_PHASE = "matmul", "host"

_PEERS_LEAST = 3  # with fewer there is no telling who is slow
_OFTEN = 0.1  # part of the samples: a clock that is held down for a moment is none


@dataclass(frozen=True)
class Gate:
    """The least that is good, and by what; without a minimum there is no gate, and `source` says why."""

    minimum: float | None
    source: str


@dataclass(frozen=True)
class Figure:
    """A measured rate, in words, and as a figure."""

    told: str
    value: float
    unit: str


def each_rank(check: str, observation: Observation, judge: Callable[[About, Rank, Gpu | None], Finding]) -> list[Finding]:
    """Judge what each process measured on its GPU. Processes on one CPU are not different things: alike, they are one finding."""
    about = About(check, node(observation))
    if not observation.probe.is_known:
        return [unmeasured(about)]
    probe = observation.probe.value
    if not probe.ranks:
        return [about.error("the probe measured no GPU")]
    findings = []
    for rank in probe.ranks:
        subject, gpu = whose(rank, probe, observation)
        findings.append(judge(About(check, subject), rank, gpu))
    alike = probe.device == "cpu" and len({finding.status for finding in findings}) == 1
    return findings[:1] if alike else findings


def whose(rank: Rank, probe: Probe, observation: Observation) -> tuple[Subject, Gpu | None]:
    """Find the GPU that a rank ran on: by UUID, else by its place; the node itself where it ran on the CPU."""
    if probe.device == "cpu":
        return node(observation), None
    gpus = listed(observation)
    gpu = next((gpu for gpu in gpus if gpu.uuid.is_known and gpu.uuid.value == rank.uuid), None)
    if gpu is None and 0 <= rank.rank < probe.gpus_seen == len(gpus):
        gpu = gpus[rank.rank]  # the probe has PyTorch number GPUs as NVML does
    if gpu is None:
        return Subject("gpu", rank.uuid or f"CUDA device {rank.rank}", rank.rank), None
    return gpu_subject(gpu, observation), gpu


def row_of(gpu: Gpu | None, tables: Tables) -> tuple[GpuReference | None, str]:
    """Find the reference row that holds for the whole GPU; else say why none does."""
    if gpu is None:
        return None, "the probe's GPU is none that NVML lists"
    if gpu.in_slices:
        return None, "this GPU is partitioned (MIG)"
    row = reference(gpu, tables)
    return row, "" if row else "the reference table does not know this GPU"


def strictest(gates: Sequence[Gate], why_none: str) -> Gate:
    """Choose the gate that asks for most; without any, say why."""
    known = [gate for gate in gates if gate.minimum is not None]
    return max(known, key=lambda gate: gate.minimum or 0.0) if known else Gate(None, f"no gate: {why_none}")


def like_its_peers(values: Sequence[float], percent: float, why: str = "") -> Gate:
    """Require of each GPU of a node what the others do."""
    if len(values) < _PEERS_LEAST:
        return Gate(None, f"{len(values)} GPUs are too few to compare")
    middle = median(values)
    source = f"{percent:g} % below {middle:.4g}, the median of this node's {len(values)} GPUs" + (f"; {why}" if why else "")
    return Gate(middle * (1 - percent / 100), source)


def gated(about: About, figure: Figure, gate: Gate, advice: str, *, on_cpu: bool = False) -> Finding:
    """Hold a rate against its gate; what a CPU did has none."""
    observed = quantity(figure.value, figure.unit)
    if on_cpu:
        return about.passed(f"{figure.told}; {CPU}", observed=observed)
    if gate.minimum is None:
        return about.passed(f"{figure.told}; {gate.source}", observed=observed, source=gate.source)
    wanted = at_least(gate.minimum, figure.unit)
    if observed["value"] >= wanted["minimum"]:
        return about.passed(figure.told, observed=observed, expected=wanted, source=gate.source)
    return about.failed(
        f"found {figure.told}, expected at least {wanted['minimum']:.4g} {figure.unit} ({gate.source}): {advice}",
        observed=observed,
        expected=wanted,
        source=gate.source,
        action="investigate",
        kills_job=False,
    )


def wrong(  # noqa: PLR0913 - a failure has that many sides
    about: About, what: str, source: str, advice: str, *, action: str, observed: Any = None
) -> Finding:
    """Conclude that something computed or copied wrong: a job that does not notice learns from it."""
    return about.failed(
        f"found {what}, expected the right result: {advice}",
        observed=observed,
        expected="the right result",
        source=source,
        action=action,
        kills_job=True,
    )


def wrong_gpu(about: About, what: str, source: str, *, on_cpu: bool, observed: Any = None) -> Finding:
    """Conclude that one GPU computes wrong by itself."""
    advice = "this computer computes wrong" if on_cpu else "replace the GPU, it computes wrong"
    return wrong(about, what, source, advice, action="investigate" if on_cpu else "replace", observed=observed)


def unmeasured(about: About) -> Finding:
    """Conclude that nothing was measured at all."""
    return about.error("not measured, since the probe gave no result; see the check probe")


def sampled(probe: Probe, rank: Rank, gpu: Gpu | None, phase: str = MATMUL_PHASE) -> Reading[Sampled]:
    """Look up what NVML told of a GPU while a part of the measurement ran."""
    if not probe.sampled.is_known:
        return Reading(probe.sampled.state, probe.sampled.content)
    uuid = gpu.uuid.value if gpu and gpu.uuid.is_known else rank.uuid
    found = next((each for each in probe.sampled.value if (each.uuid, each.phase) == (uuid, phase)), None)
    return Reading.of(found) if found else Reading.unreadable("NVML told nothing of it meanwhile")


def conditions(seen: Reading[Sampled]) -> str:
    """Write under which conditions a GPU worked."""
    if not seen.is_known:
        return f"conditions not known: {seen.why}"
    parts = [(seen.value.clock_mhz, "MHz"), (seen.value.power_w, "W"), (seen.value.temperature_c, "°C")]
    told = [_range(spread.value, unit) for spread, unit in parts if spread.is_known]
    held = [f"{name} in {share:.0%} of the time" for name, share, _advice in held_down_in(seen.value)]
    return "at " + ", ".join([*told, *held]) if told or held else "NVML told no conditions"


def held_down_in(seen: Sampled) -> list[tuple[str, float, str]]:
    """List what held the clocks down that should not have: its name, in which part of the time, and what to do about it."""
    shares = seen.event_reasons.value if seen.event_reasons.is_known else {}
    return [(name, shares[hex(bit)], advice) for bit, name, advice in held_down() if shares.get(hex(bit), 0.0) >= _OFTEN]


def next_step(seen: Reading[Sampled], otherwise: str) -> str:
    """Say what to do about a slow GPU: heat and power are another thing than slowness without a cause."""
    causes = held_down_in(seen.value) if seen.is_known else []
    return f"{causes[-1][0]} explains it: {causes[-1][2]}" if causes else otherwise


def _range(spread: Spread, unit: str) -> str:
    low, middle, high = (f"{value:.0f}" for value in (spread.low, spread.median, spread.high))
    return f"{middle} {unit}" if low == high else f"{middle} {unit} ({low} to {high})"
