"""What the probe measured, against the reference table, else against the node's other GPUs."""

from __future__ import annotations

from statistics import median
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import SOURCE, Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import PASS, About, Finding, Subject, at_least, quantity
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import answering, gpu_subject, listed, node, reference
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Matmul, Observation, Probe, Rank
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_TFLOPS, _GB_S = "TFLOP/s", "GB/s"
_CPU = "CPU, gloo: proves the path, not the GPUs"
_PEERS_LEAST = 3  # with fewer there is no telling who is slow


def ran(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require that the probe ran, on every GPU that the node has."""
    about = About("probe", node(observation))
    if not observation.probe.is_known:
        return [about.error(f"the probe gave no result: {observation.probe.why}")]
    probe, wanted = observation.probe.value, expectation.probe_device
    if wanted == "cpu":
        return [about.passed(f"ran on the {_CPU}", observed=probe.device, expected=wanted, source=SOURCE)]
    if probe.device != "cuda":
        return [
            _failed(
                about,
                f"found that PyTorch {probe.torch_version} can use no GPU here ({probe.device_reason}), expected CUDA: "
                "start the image by hand and ask nvidia-smi; driver, container toolkit and the image's CUDA must fit each other",
                probe.device,
                wanted,
                SOURCE,
            )
        ]
    gpus = len(listed(observation))
    if observation.nvml.gpus.is_known and probe.gpus_seen != gpus:
        message = f"found {probe.gpus_seen} GPUs in PyTorch, expected the {gpus} that NVML shows"
        return [_failed(about, f"{message}: look at CUDA_VISIBLE_DEVICES and the container's GPUs", probe.gpus_seen, gpus, "NVML")]
    return [about.passed(f"ran on {probe.gpus_seen} GPUs", observed=probe.gpus_seen, expected=gpus, source="NVML")]


def torch_version(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require the PyTorch that the inventory wants."""
    about, wanted = About("torch_version", node(observation)), expectation.torch_version
    if wanted is None:
        return [about.skipped("the inventory expects no certain PyTorch version")]
    if not observation.probe.is_known:
        return [_unmeasured(about)]
    found = observation.probe.value.torch_version
    if f"{found.split('+')[0]}.".startswith(f"{wanted}."):
        return [about.passed(f"PyTorch {found}", observed=found, expected=wanted, source=SOURCE)]
    return [
        about.failed(
            f"found PyTorch {found}, expected {wanted}: pull the image that the inventory names, or correct the inventory",
            observed=found,
            expected=wanted,
            source=SOURCE,
            action="investigate",
            kills_job=False,
        )
    ]


def matmul(observation: Observation, expectation: Expectation, tables: Tables) -> list[Finding]:
    """Require that each GPU computes right, and as fast as its model does, else as the node's other GPUs do."""
    if not observation.probe.is_known:
        return [_unmeasured(About("matmul", node(observation)))]
    probe = observation.probe.value
    if not probe.ranks:
        return [About("matmul", node(observation)).error("the probe measured no matrix product on any GPU")]
    speeds = [rank.matmul.value.tflops for rank in probe.ranks if rank.matmul.is_known]
    findings = []
    for rank in probe.ranks:
        subject, gpu = _whose(rank, probe, observation)
        about = About("matmul", subject)
        absent = about.without(matrix_product=rank.matmul)
        if absent:
            findings.append(about.error(absent.message))
            continue
        result = rank.matmul.value
        measured = f"{result.tflops:.4g} {_TFLOPS} ({result.dtype}, {result.size}^3)"
        if not result.correct:
            what = f"a matrix product off by {result.worst_error:.3g}"
            findings.append(_wrong(about, what, result.worst_error, on_cpu=probe.device == "cpu"))
        elif probe.device == "cpu":
            findings.append(about.passed(f"{measured}; {_CPU}", observed=quantity(result.tflops, _TFLOPS)))
        else:
            gate, source = _matmul_gate(gpu, result, speeds, expectation, tables)
            findings.append(_gated(about, measured, quantity(result.tflops, _TFLOPS), gate, source))
    alike = probe.device == "cpu" and {finding.status for finding in findings} == {PASS}
    return findings[:1] if alike else findings  # processes on one CPU are not different things


def allreduce(observation: Observation, expectation: Expectation, tables: Tables) -> list[Finding]:
    """Require that all processes together sum right, and as fast as a node of this model does."""
    about = About("allreduce", node(observation))
    if not observation.probe.is_known:
        return [_unmeasured(about)]
    probe = observation.probe.value
    absent = about.without(all_reduce=probe.allreduce)
    if absent:
        return [absent]
    result = probe.allreduce.value
    library = f"NCCL {probe.nccl_version}" if probe.backend == "nccl" else probe.backend
    conditions = f"{result.ranks} ranks, {result.bytes / 1e6:.4g} MB {result.dtype}, {library}"
    measured = f"{result.busbw_gb_s:.4g} {_GB_S} bus bandwidth ({conditions})"
    if not result.correct:
        return [_wrong(about, "an all-reduce with a wrong sum", None, on_cpu=probe.device == "cpu")]
    if probe.device == "cpu":
        return [about.passed(f"{measured}; {_CPU}", observed=quantity(result.busbw_gb_s, _GB_S))]
    gate, source = _allreduce_gate(observation, result.ranks, expectation, tables)
    return [_gated(about, measured, quantity(result.busbw_gb_s, _GB_S), gate, source)]


def _matmul_gate(
    gpu: Gpu | None, result: Matmul, speeds: list[float], expectation: Expectation, tables: Tables
) -> tuple[dict[str, Any] | None, str]:
    row = reference(gpu, tables) if gpu else None
    fraction = expectation.gate_fraction
    if row and row.matmul_measured_tflops and row.matmul_dtype == result.dtype:
        return at_least(row.matmul_measured_tflops * fraction, _TFLOPS), f"{fraction:g} of {row.matmul_measured_tflops:g}: {row.cited}"
    unknown = "no measured figure for this model is known" if row else "the reference table does not know this GPU"
    if len(speeds) >= _PEERS_LEAST:
        return at_least(median(speeds) * fraction, _TFLOPS), f"{fraction:g} of the median of this node's {len(speeds)} GPUs; {unknown}"
    return None, f"no gate: {unknown}, and {len(speeds)} GPUs are too few to compare"


def _allreduce_gate(observation: Observation, ranks: int, expectation: Expectation, tables: Tables) -> tuple[dict[str, Any] | None, str]:
    rows = {reference(gpu, tables) for gpu in answering(observation)}
    row = rows.pop() if len(rows) == 1 else None
    if row and row.allreduce_busbw_gb_s and row.allreduce_gpus == ranks:
        fraction, known = expectation.gate_fraction, row.allreduce_busbw_gb_s
        return at_least(known * fraction, _GB_S), f"{fraction:g} of {known:g} ({row.allreduce_conditions}): {row.cited}"
    return None, f"no gate: no figure for {ranks} GPUs of this model is known"


def _gated(about: About, measured: str, observed: dict[str, Any], gate: dict[str, Any] | None, source: str) -> Finding:
    if gate is None:
        return about.passed(f"{measured}; {source}", observed=observed, source=source)
    if observed["value"] >= gate["minimum"]:
        return about.passed(measured, observed=observed, expected=gate, source=source)
    return about.failed(
        f"found {measured}, expected at least {gate['minimum']:.4g} {gate['unit']} ({source}): "
        "look at temperature, clocks and power limit under load, and who else uses the GPU",
        observed=observed,
        expected=gate,
        source=source,
        action="investigate",
        kills_job=False,
    )


def _wrong(about: About, what: str, observed: Any, *, on_cpu: bool) -> Finding:
    return about.failed(
        f"found {what}, expected the right result: " + ("this computer computes wrong" if on_cpu else "replace the GPU, it computes wrong"),
        observed=observed,
        expected="the right result",
        source="a product computed in double precision on the CPU" if about.check == "matmul" else "whole numbers, summed exactly",
        action="investigate" if on_cpu or about.check != "matmul" else "replace",
        kills_job=True,
    )


def _whose(rank: Rank, probe: Probe, observation: Observation) -> tuple[Subject, Gpu | None]:
    """Find the GPU that a rank ran on: by UUID, else by its place; the node itself where it ran on the CPU."""
    if probe.device == "cpu":
        return node(observation), None
    gpus = listed(observation)
    gpu = next((gpu for gpu in gpus if gpu.uuid.is_known and gpu.uuid.value == rank.uuid), None)
    if gpu is None and len(gpus) == probe.gpus_seen > rank.rank:
        gpu = gpus[rank.rank]  # the probe has PyTorch number GPUs as NVML does
    if gpu is None:
        return Subject("gpu", rank.uuid or f"CUDA device {rank.rank}", rank.rank), None
    return gpu_subject(gpu, observation), gpu


def _unmeasured(about: About) -> Finding:
    return about.error("not measured, since the probe gave no result; see the check probe")


def _failed(about: About, message: str, observed: Any, expected: Any, source: str) -> Finding:
    return about.failed(message, observed=observed, expected=expected, source=source, action="investigate", kills_job=True)
