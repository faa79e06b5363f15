"""PCI Express: does the link run at its whole width. The generation falls when idle and is therefore judged under load only."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import SOURCE, Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import over_gpus
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Observation
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables


def width(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require a link as wide as the inventory says, else as GPU and slot allow."""

    def judge(about: About, gpu: Gpu) -> Finding:
        now, most = _widths(gpu, observation)
        absent = about.without(PCIe_width=now)
        if absent:
            return absent
        if expectation.pcie_width is not None:
            wanted, source = expectation.pcie_width, SOURCE
        else:
            absent = about.without(widest_possible_PCIe_link=most)
            if absent:
                return absent
            wanted, source = most.value, "the widest that GPU and slot allow"
        if now.value >= wanted:
            return about.passed(f"PCIe x{now.value}", observed=now.value, expected=wanted, source=source)
        return about.failed(
            f"found PCIe x{now.value}, expected x{wanted} ({source}): reseat the GPU or its riser, and look at lspci -vv for LnkSta",
            observed=now.value,
            expected=wanted,
            source=source,
            action="investigate",
            kills_job=False,
        )

    return over_gpus("pcie_width", observation, judge)


def _widths(gpu: Gpu, observation: Observation) -> tuple[Reading[int], Reading[int]]:
    """NVML's widths; the kernel's where NVML has none to tell."""
    if gpu.pcie_width.is_unsupported and gpu.pci_bus_id.is_known and observation.pci.is_known:
        for device in observation.pci.value.gpus:
            if device.address == gpu.pci_bus_id.value:
                return device.link_width, device.link_width_max
    return gpu.pcie_width, gpu.pcie_width_max
