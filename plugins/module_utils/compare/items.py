"""What an observation (as JSON, which is how nodes send it) says of things that can be compared with another node's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.finding import Subject
from ansible_collections.gpu.fleet.plugins.module_utils.report import redact
from ansible_collections.gpu.fleet.plugins.module_utils.report.identity import known

_LONGEST = 100


@dataclass(frozen=True)
class Item:
    """One thing read on one node. Only things of one `kind` can be compared, such as the VBIOS of GPUs of one model."""

    subject: Subject
    kind: str
    value: str | int


def models(observation: Any) -> tuple[str, ...]:
    """Name the models of a node's GPUs, each once."""
    return tuple(sorted({name for name in (text(known(gpu, "name")) for gpu in _gpus(observation)) if name}))


def system(observation: Any) -> str:
    """Name the distribution, which decides what driver and kernel there are to install."""
    return text(known(observation, "host", "distribution"))


def driver_branch(observation: Any) -> str:
    """Name the driver's branch, which decides what PyTorch image a node can run."""
    return text(known(observation, "nvml", "driver_version")).partition(".")[0]


def on_node(*path: str) -> Callable[[str, Any], Iterator[Item]]:
    """Make a reader of one text about the node."""

    def items(node: str, observation: Any) -> Iterator[Item]:
        value = text(known(observation, *path))
        if value:
            yield Item(Subject("node", node), "", value)

    return items


def on_gpus(read: Callable[[Any], str | int | None]) -> Callable[[str, Any], Iterator[Item]]:
    """Make a reader of one thing about each GPU."""

    def items(_node: str, observation: Any) -> Iterator[Item]:
        for gpu in _gpus(observation):
            value, model, address = read(gpu), text(known(gpu, "name")), text(known(gpu, "pci_bus_id"))
            index = gpu.get("index")
            if value not in (None, "") and model:
                place = index if isinstance(index, int) else None
                yield Item(Subject("gpu", address or f"NVML index {index}", place), model, value)

    return items


def whole(*path: str) -> Callable[[Any], int | None]:
    """Make a reader of a whole number of a GPU."""

    def read(gpu: Any) -> int | None:
        value = known(gpu, *path)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    return read


def ecc(gpu: Any) -> str:
    """Say whether ECC is on."""
    return {True: "on", False: "off"}.get(known(gpu, "ecc_enabled"), "")


def links_up(gpu: Any) -> int | None:
    """Count a GPU's NVLinks that are up."""
    links = known(gpu, "nvlinks")
    return sum(state is True for state in links.values()) if isinstance(links, dict) else None


def gpu_count(node: str, observation: Any) -> Iterator[Item]:
    """Count the GPUs on the PCI bus."""
    on_bus = known(observation, "pci", "gpus")
    if isinstance(on_bus, list):
        yield Item(Subject("node", node), "", len(on_bus))


def adapter_firmware(_node: str, observation: Any) -> Iterator[Item]:
    """Read the firmware of each RDMA adapter."""
    adapters = known(observation, "system", "adapters")
    for adapter in adapters if isinstance(adapters, list) else []:
        board, firmware = text(known(adapter, "board")), text(known(adapter, "firmware"))
        if board and firmware:
            yield Item(Subject("adapter", text(known(adapter, "name"))), board, firmware)


def pytorch(node: str, observation: Any) -> Iterator[Item]:
    """Name what the probe ran with."""
    probe = known(observation, "probe")
    if isinstance(probe, dict):
        versions = (("PyTorch", "torch_version"), ("CUDA", "cuda_version"), ("NCCL", "nccl_version"))
        told = [f"{name} {text(probe.get(key))}" for name, key in versions if probe.get(key)]
        if told:
            yield Item(Subject("node", node), "", ", ".join(told))


def _gpus(observation: Any) -> list[Any]:
    gpus = known(observation, "nvml", "gpus")
    return [gpu for gpu in gpus if isinstance(gpu, dict)] if isinstance(gpus, list) else []


def text(value: Any) -> str:
    """Take text as a node sent it: without secrets, and no longer than a version or a name is."""
    return redact.text(value[:_LONGEST].strip()) if isinstance(value, str) else ""
