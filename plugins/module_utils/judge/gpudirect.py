"""GPUDirect RDMA: can InfiniBand adapters reach the GPUs' memory, or does all they send go through the processor's."""

from __future__ import annotations

import re

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.infiniband import is_active, is_infiniband
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import answering, node
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_DMA_BUF_KERNEL = (5, 12)


def check(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require a way from InfiniBand adapters to the GPUs' memory: nvidia_peermem, or dma-buf (open kernel modules, kernel 5.12)."""
    about, system = About("gpudirect_rdma", node(observation)), observation.system
    if expectation.gpudirect_rdma is False:
        return [about.skipped("the inventory does not ask for it")]
    absent = about.without(RDMA_adapters=system.adapters)
    if absent:
        return [absent]
    if not serving_adapters(observation, expectation):
        return [about.skipped("no active InfiniBand port here (say gpudirect_rdma: true where RoCE is meant)")]
    if not capable_gpus(observation):
        return [about.skipped("no GPU here that lets adapters reach its memory")]
    return [_way(about, observation)]


def _way(about: About, observation: Observation) -> Finding:
    by = observation.system.peer_memory
    if by.is_unreadable:
        return about.error(f"whether nvidia_peermem is loaded could not be read: {by.why}")
    if by.is_known:
        return about.passed(f"by {by.value}", observed=by.value)
    module, kernel = observation.kernel_module, observation.host.kernel
    absent = about.without(kernel_module=module, kernel=kernel)
    if absent:
        return absent  # without the module's flavour, as in a container, it cannot be told whether dma-buf is there
    version = tuple(int(number) for number in re.findall(r"\d+", kernel.value)[:2])
    if module.value.flavour == "open" and version >= _DMA_BUF_KERNEL:
        return about.passed("by dma-buf", observed="dma-buf")
    return about.failed(
        f"found neither nvidia_peermem nor dma-buf ({module.value.flavour} kernel module, kernel {kernel.value}), expected either: "
        "without it, what adapters send goes through the processor's memory; modprobe nvidia_peermem, and load it at boot",
        observed=None,
        expected="nvidia_peermem or dma-buf",
        source="GPUDirect RDMA guide",
        action="investigate",
        kills_job=False,
    )


def capable_gpus(observation: Observation) -> set[str]:
    """List the GPUs that can exchange data over PCI Express."""
    return {
        gpu.pci_bus_id.value
        for gpu in answering(observation)
        if gpu.pci_bus_id.is_known and gpu.name.is_known and "GeForce" not in gpu.name.value
    }


def serving_adapters(observation: Observation, expectation: Expectation) -> set[str]:
    """List the adapters that serve training: InfiniBand does; Ethernet where the inventory says so."""
    adapters = observation.system.adapters.value if observation.system.adapters.is_known else ()
    return {
        adapter.pci_address
        for adapter in adapters
        if any(is_active(port) and (expectation.gpudirect_rdma or is_infiniband(port)) for port in adapter.ports)
    }
