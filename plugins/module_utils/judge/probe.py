"""Did the probe run: on every GPU, to its end, and with the PyTorch that is expected."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import SOURCE, Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.measured import CPU, unmeasured
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import listed, node
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables


def ran(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require that the probe ran, on every GPU that the node has."""
    about = About("probe", node(observation))
    if not observation.probe.is_known:
        return [about.error(f"the probe gave no result: {observation.probe.why}")]
    probe, wanted = observation.probe.value, expectation.probe_device
    if probe.stopped:
        return [about.error(f"the probe was {probe.stopped} after {probe.duration_s:.0f} s: what it had measured by then is judged")]
    if wanted == "cpu":
        return [about.passed(f"ran on the {CPU}", observed=probe.device, expected=wanted, source=SOURCE)]
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
    sliced = any(gpu.in_slices for gpu in listed(observation))
    gpus = None if sliced else len(listed(observation))
    if observation.nvml.gpus.is_known and gpus not in (None, probe.gpus_seen):
        message = f"found {probe.gpus_seen} GPUs in PyTorch, expected the {gpus} that NVML shows"
        return [_failed(about, f"{message}: look at CUDA_VISIBLE_DEVICES and the container's GPUs", probe.gpus_seen, gpus, "NVML")]
    told = f"ran on {probe.gpus_seen} GPUs at level {probe.level}, {probe.duration_s:.0f} s, of which it measured {probe.measuring_s:.0f} s"
    told += "; of GPUs in slices (MIG) CUDA shows a process one slice" if sliced else ""
    return [about.passed(told, observed=probe.gpus_seen, expected=gpus, source="NVML")]


def torch_version(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require the PyTorch that the inventory wants."""
    about, wanted = About("torch_version", node(observation)), expectation.torch_version
    if wanted is None:
        return [about.skipped("the inventory expects no certain PyTorch version")]
    if not observation.probe.is_known:
        return [unmeasured(about)]
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


def _failed(about: About, message: str, observed: Any, expected: Any, source: str) -> Finding:
    return about.failed(message, observed=observed, expected=expected, source=source, action="investigate", kills_job=True)
