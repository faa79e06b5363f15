"""What checks share: whose GPUs are judged, and how one conclusion per GPU becomes findings for a node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import FAIL, PASS, SKIP, About, Finding, Subject
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Observation
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from ansible_collections.gpu.fleet.plugins.module_utils.tables import GpuReference, Tables

ANSWERS = "answers"
T = TypeVar("T")


@dataclass(frozen=True)
class Check:
    """A named check. One that is not `required` may lose its reading and the node still be ready: it is then a skip that says so."""

    name: str
    run: Callable[[Observation, Expectation, Tables], list[Finding]]
    required: bool = True
    active: bool = False


def node(observation: Observation) -> Subject:
    """Name the node."""
    hostname = observation.host.hostname
    return Subject("node", hostname.value if hostname.is_known else "this node")


def gpu_subject(gpu: Gpu, observation: Observation) -> Subject:
    """Name a GPU: by its PCI bus id, even one that no longer tells it, where the bus leaves no other choice; else by its UUID."""
    if gpu.pci_bus_id.is_known:
        return Subject("gpu", gpu.pci_bus_id.value, gpu.index)
    nameless = [other for other in listed(observation) if not other.pci_bus_id.is_known]
    unclaimed = unclaimed_addresses(observation)
    if len(nameless) == len(unclaimed):
        # NVML numbers GPUs in the order of their addresses.
        return Subject("gpu", unclaimed[nameless.index(gpu)], gpu.index)
    return Subject("gpu", gpu.uuid.value if gpu.uuid.is_known else f"NVML index {gpu.index}", gpu.index)


def listed(observation: Observation) -> tuple[Gpu, ...]:
    """All GPUs that NVML counts, whether or not they answer."""
    gpus = observation.nvml.gpus
    return gpus.value if gpus.is_known else ()


def unclaimed_addresses(observation: Observation) -> list[str]:
    """GPUs on the PCI bus that no GPU of NVML says it is."""
    claimed = {gpu.pci_bus_id.value for gpu in listed(observation) if gpu.pci_bus_id.is_known}
    bus = observation.pci.value.gpus if observation.pci.is_known else ()
    return [device.address for device in bus if device.address not in claimed]


def answering(observation: Observation) -> tuple[Gpu, ...]:
    """List the GPUs that are known to answer. Of the others the check `gpu_answers` speaks, once and never good."""
    return tuple(gpu for gpu in listed(observation) if gpu.state.is_known and gpu.state.value == ANSWERS)


def reference(gpu: Gpu, tables: Tables) -> GpuReference | None:
    """Look up a GPU in the reference table."""
    return tables.gpu(
        gpu.pci_device_id.value if gpu.pci_device_id.is_known else None,
        gpu.name.value if gpu.name.is_known else None,
    )


def owed(reading: Reading[T], gpu: Gpu, tables: Tables) -> Reading[T]:
    """Take "not supported" for unread where the reference table knows the GPU by its name: each model there has what this is asked for.

    By its name, since a virtual GPU has its card's device id and a name of its own, and no sensors.
    """
    row = tables.gpu_named(gpu.name.value) if gpu.name.is_known else None
    if row is None or gpu.in_slices or not reading.is_unsupported:
        return reading
    return Reading.unreadable(f"{reading.why}, expected a value, which every {row.gpu} has: look at nvidia-smi -q -i {gpu.index}")


def over_gpus(check: str, observation: Observation, judge: Callable[[About, Gpu], Finding], *, merge: bool = True) -> list[Finding]:
    """Judge every GPU that answers. When all are good that is one finding for the node; else one for each GPU that is not.

    Of a GPU that does not answer, or stopped while it was read, only what it told before and is bad counts.
    """
    gpus = answering(observation)
    findings = []
    for gpu in listed(observation):
        finding = judge(About(check, gpu_subject(gpu, observation)), gpu)
        if gpu in gpus or finding.status == FAIL:
            findings.append(finding)
    about = About(check, node(observation))
    if not findings:
        return [about.skipped("no GPU here answers; see the check gpu_answers")]
    if not merge:
        return findings
    bad = [finding for finding in findings if finding.status not in (PASS, SKIP)]
    good = [finding for finding in findings if finding.status == PASS]
    skipped = [finding for finding in findings if finding.status == SKIP]
    return bad or _merged(good, about) + _merged(skipped, about, among=len(gpus))


def _merged(findings: Sequence[Finding], about: About, among: int | None = None) -> list[Finding]:
    """Say once for the node what is the same for all; a part of them (of `among`) stays apart."""
    if not findings:
        return []
    if (among is not None and len(findings) < among) or len({finding.message for finding in findings}) > 1:
        return list(findings)
    count = f"{len(findings)} GPU" + ("s" if len(findings) > 1 else "")
    first = findings[0]
    return [
        replace(
            first,
            subject=about.subject,
            observed=_common([finding.observed for finding in findings]),
            expected=_common([finding.expected for finding in findings]),
            message=f"{count}: {first.message}",
        )
    ]


def _common(values: list[Any]) -> Any:
    return values[0] if all(value == values[0] for value in values) else values
