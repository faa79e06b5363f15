"""PCI Express between GPUs and adapters: can they reach each other directly, or is what they exchange sent through the processor.

Only where it hurts: NVLink between GPUs needs none of this, GeForce GPUs cannot do it, and a virtual machine has to leave it to its host.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.gpudirect import capable_gpus, serving_adapters
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import answering, node
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation
from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import PciEndpoint, PciTopology
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_X86 = ("GenuineIntel", "AuthenticAMD")
_AMD = "AuthenticAMD"
_UPSTREAM, _DOWNSTREAM = 5, 6
# Bits of the access control register: requests and completions redirected to the processor; those with translated addresses let through.
_REDIRECTS, _DIRECT_TRANSLATED = 0x04 | 0x08, 0x40
_NO_NEED = "no GPUs or adapters here that would exchange data over PCI Express"
_NAMED = 3


def access_control(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require switches between such devices not to redirect what they exchange (ACS)."""
    about = About("pci_acs", node(observation))
    skip = _elsewhere(about, observation, expectation) or about.without(PCI_topology=observation.system.pci_topology)
    if skip:
        return [skip]
    topology = observation.system.pci_topology.value
    bridges = {bridge.address: bridge for bridge in topology.bridges}
    for bridge in bridges.values():
        unread = about.without(configuration_of_a_PCI_bridge=bridge.port_type) if bridge.port_type.is_unreadable else None
        if unread:
            return [unread]
    ports = {
        address
        for first, second in _exchanging(observation, expectation)
        if _share_a_switch(first, second, topology)
        for address in _turning_ports(first, second)
        if bridges[address].port_type.is_known and bridges[address].port_type.value == _DOWNSTREAM
    }
    if not ports:
        return [about.skipped(_NO_NEED + " through a switch of their own")]
    redirecting = sorted(
        address
        for address in ports
        if bridges[address].acs.is_known and bridges[address].acs.value & _REDIRECTS and not bridges[address].acs.value & _DIRECT_TRANSLATED
    )
    if not redirecting:
        return [about.passed(f"{len(ports)} switch ports let devices reach each other", observed=0, expected=0, source="PCI configuration")]
    return [
        about.failed(
            f"found access control (ACS) redirecting at {len(redirecting)} PCI switch ports ({', '.join(redirecting[:_NAMED])}, ...), "
            "expected none: what they exchange goes through the processor, which is slow or hangs; switch I/O virtualisation (VT-d, IOMMU) "
            "off in the BIOS, or ACS at every start with setpci -s ADDRESS ECAP_ACS+0x6.w=0000",
            observed=len(redirecting),
            expected=0,
            source="NCCL user guide, GPU troubleshooting: PCI Access Control Services (ACS)",
            action="investigate",
            kills_job=False,
        )
    ]


def iommu(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require the IOMMU not to translate what such devices exchange: CUDA does not support that on bare metal."""
    about = About("iommu", node(observation))
    skip = _elsewhere(about, observation, expectation) or about.without(PCI_topology=observation.system.pci_topology)
    if skip:
        return [skip]
    topology = observation.system.pci_topology.value
    amd = observation.system.processor.is_known and observation.system.processor.value == _AMD
    # Between host bridges NCCL lets GPUs reach each other on AMD's processors only.
    affected = {
        device.address: device
        for pair in _exchanging(observation, expectation)
        if amd or any(device.kind == "adapter" for device in pair) or _share_a_switch(*pair, topology)
        for device in pair
        if device.kind == "gpu"
    }
    if not affected:
        return [about.skipped(_NO_NEED)]
    for device in affected.values():
        if device.iommu.is_unreadable:
            return [about.error(f"how the IOMMU treats {device.address} could not be read: {device.iommu.why}")]
    translated = sorted(a for a, device in affected.items() if device.iommu.is_known and device.iommu.value.startswith("DMA"))
    if not translated:
        return [about.passed("the IOMMU is off or passes through", observed=0, expected=0, source="kernel")]
    parameters = observation.system.kernel_parameters
    given = [word for word in parameters.value if "iommu" in word] if parameters.is_known else []
    return [
        about.failed(
            f"found the IOMMU translating for {len(translated)} GPUs{' (' + ' '.join(given) + ')' if given else ''}, expected it off or "
            "passing through: CUDA does not support it outside virtual machines, and copies between GPUs and adapters may be corrupted "
            "unseen, slow, or stall; add iommu=pt to the kernel's command line and reboot",
            observed=len(translated),
            expected=0,
            source="CUDA programming guide, multi-GPU systems: host IOMMU hardware, PCI Access Control Services, and VMs; iommu=pt: "
            "NVIDIA Maxine, PCIe multi-GPU systems",
            action="investigate",
            kills_job=False,
        )
    ]


def _elsewhere(about: About, observation: Observation, expectation: Expectation) -> Finding | None:
    """Leave out machines where this is somebody else's business."""
    system = observation.system
    if expectation.peer_to_peer is False:
        return about.skipped("the inventory does not ask for it")
    if not system.processor.is_known or system.processor.value not in _X86:
        return about.skipped("not an x86 machine; elsewhere the processor needs access control and the IOMMU")
    if system.virtual_machine.is_known and system.virtual_machine.value:
        return about.skipped("a virtual machine: access control and the IOMMU are its host's")
    return None


def _exchanging(observation: Observation, expectation: Expectation) -> Iterator[tuple[PciEndpoint, PciEndpoint]]:
    """List the pairs that exchange data over PCI Express: a GPU and an adapter, or two GPUs that no NVLink joins."""
    capable, serving = capable_gpus(observation), serving_adapters(observation, expectation)
    linked = {
        gpu.pci_bus_id.value
        for gpu in answering(observation)
        if gpu.pci_bus_id.is_known and gpu.nvlinks.is_known and any(gpu.nvlinks.value.values())
    }
    endpoints = observation.system.pci_topology.value.endpoints
    gpus = [device for device in endpoints if device.kind == "gpu" and device.address in capable]
    adapters = [device for device in endpoints if device.kind == "adapter" and device.address in serving]
    yield from itertools.product(gpus, adapters)
    yield from itertools.combinations([gpu for gpu in gpus if gpu.address not in linked], 2)


def _share_a_switch(first: PciEndpoint, second: PciEndpoint, topology: PciTopology) -> bool:
    upstream = {bridge.address for bridge in topology.bridges if bridge.port_type.is_known and bridge.port_type.value == _UPSTREAM}
    return bool(upstream & set(first.bridges) & set(second.bridges))


def _turning_ports(first: PciEndpoint, second: PciEndpoint) -> tuple[str, ...]:
    """List the two ports of the switch where the way from one to the other turns: those further down only pass it on."""
    common = sum(1 for _same in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first.bridges, second.bridges)))
    return (*first.bridges[common : common + 1], *second.bridges[common : common + 1])
