"""Count and model: PCI bus, NVML and inventory speak of the same GPUs."""

from __future__ import annotations

import difflib

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import SOURCE, Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding, Subject
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import (
    ANSWERS,
    answering,
    gpu_subject,
    node,
    over_gpus,
    unclaimed_addresses,
)
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Observation
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables, same_model

_COUNT = "gpu_count"
_REBOOT = "read the kernel log for its Xid, reboot, and replace it if that comes back"
_NOT_ANSWERING = {
    "lost": ("lost: it has fallen off the bus", _REBOOT, "reboot"),
    "reset required": ("in need of a reset", "reset it (nvidia-smi --gpu-reset), or reboot if that is refused", "reset_gpu"),
    "power cables missing": ("without its external power cables", "attach them, and look at the power supplies", "investigate"),
}


def count(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require as many GPUs on the PCI bus as the inventory says, and that NVML shows each of them."""
    about = About(_COUNT, node(observation))
    bus = observation.pci
    if not bus.is_known:
        return [about.error(f"the PCI bus could not be read: {bus.why}; expected it to list the GPUs: look at lspci -d 10de:")]
    wanted, on_bus = expectation.gpu_count, len(bus.value.gpus)
    findings = _against_inventory(about, on_bus, wanted)
    if on_bus == wanted == 0:
        return [about.passed("no GPU, as the inventory says", observed=0, expected=0, source=SOURCE)]
    findings += _nvml_against_bus(about, observation, on_bus)
    if findings:
        return findings
    return [
        about.passed(
            f"{on_bus} GPUs on the PCI bus and in NVML",
            observed=on_bus,
            expected=on_bus if wanted is None else wanted,
            source="PCI bus" if wanted is None else SOURCE,
        )
    ]


def _against_inventory(about: About, on_bus: int, wanted: int | None) -> list[Finding]:
    least = 1 if wanted is None else wanted
    source = "a GPU node has at least one" if wanted is None else SOURCE
    if on_bus < least:
        return [
            about.failed(
                f"found {on_bus} GPUs on the PCI bus, expected {least if wanted is not None else 'at least one'}: "
                "look for the missing one with lspci -d 10de:, then power-cycle the node and reseat it",
                observed=on_bus,
                expected=least,
                source=source,
                action="investigate",
                kills_job=True,
            )
        ]
    if wanted is not None and on_bus > wanted:
        return [
            about.failed(
                f"found {on_bus} GPUs on the PCI bus, expected {wanted}: correct gpu_count in the inventory",
                observed=on_bus,
                expected=wanted,
                source=source,
                action="investigate",
                kills_job=False,
            )
        ]
    return []


def _nvml_against_bus(about: About, observation: Observation, on_bus: int) -> list[Finding]:
    gpus = observation.nvml.gpus
    if not gpus.is_known:
        return [about.error(f"NVML's GPUs could not be counted: {gpus.why}; the PCI bus shows {on_bus}")]
    shown = len(gpus.value)
    if shown > on_bus:
        return [about.error(f"found {shown} GPUs in NVML and {on_bus} on the PCI bus, expected the bus to show all: is /sys complete?")]
    if shown == on_bus:
        return []
    missing = unclaimed_addresses(observation)
    subjects = [Subject("gpu", address) for address in missing] if len(missing) == on_bus - shown else [about.subject]
    return [
        About(_COUNT, subject).failed(
            f"found {shown} GPUs in NVML, expected the {on_bus} of the PCI bus"
            + (f": {subject.id} is missing" if subject.kind == "gpu" else "")
            + "; read the kernel log for NVRM, then reset or reboot",
            observed=shown,
            expected=on_bus,
            source="PCI bus",
            action="reboot",
            kills_job=True,
        )
        for subject in subjects
    ]


def answers(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require that every GPU that NVML counts can be talked to."""
    about = About("gpu_answers", node(observation))
    gpus = observation.nvml.gpus
    if not gpus.is_known:
        return [about.error(f"the GPUs could not be read: {gpus.why}; expected each to answer: try nvidia-smi -L")]
    findings = [finding for finding in (_answer(observation, gpu) for gpu in gpus.value) if finding]
    if findings or not gpus.value:
        return findings or [about.skipped("NVML counts no GPU")]
    return [about.passed(f"all {len(gpus.value)} GPUs answer", observed=len(gpus.value), expected=len(gpus.value), source="NVML")]


def _answer(observation: Observation, gpu: Gpu) -> Finding | None:
    about = About("gpu_answers", gpu_subject(gpu, observation))
    if not gpu.state.is_known:
        return about.error(
            f"GPU {gpu.index} was not read to the end: {gpu.state.why}; expected it to answer: try nvidia-smi -q -i {gpu.index}"
        )
    if gpu.state.value == ANSWERS:
        return None
    found, advice, action = _NOT_ANSWERING.get(gpu.state.value, (f"not answering ({gpu.state.value})", _REBOOT, "reboot"))
    return about.failed(
        f"found GPU {gpu.index} {found}, expected it to answer: {advice}",
        observed=gpu.state.value,
        expected=ANSWERS,
        source="NVML",
        action=action,
        kills_job=True,
    )


def model(observation: Observation, expectation: Expectation, tables: Tables) -> list[Finding]:
    """Require every GPU to be the model that the inventory says; without that, all alike."""
    wanted = expectation.gpu_model
    names = [gpu.name.value for gpu in answering(observation) if gpu.name.is_known]
    usual = max(sorted(set(names)), key=names.count, default="")
    expected, source = (wanted, SOURCE) if wanted else (usual, "this node's other GPUs")

    def judge(about: About, gpu: Gpu) -> Finding:
        absent = about.without(name=gpu.name)
        if absent and gpu.name.is_unsupported:
            return about.error(f"the model could not be told: {gpu.name.why}")
        if absent:
            return absent
        if same_model(gpu.name.value, expected):
            return about.passed(gpu.name.value, observed=gpu.name.value, expected=expected, source=source)
        return about.failed(
            f"found {gpu.name.value}, expected {expected}: correct the inventory, or replace the GPU{_meant(expected, tables)}",
            observed=gpu.name.value,
            expected=expected,
            source=source,
            action="investigate",
            kills_job=False,
        )

    return over_gpus("gpu_model", observation, judge)


def _meant(expected: str, tables: Tables) -> str:
    names = [row.gpu for row in tables.gpus]
    if any(same_model(name, expected) for name in names):
        return ""
    near = difflib.get_close_matches(expected, names, n=1, cutoff=0.8)
    return f" (the reference table knows no {expected}" + (f"; is {near[0]} meant?)" if near else ")")
