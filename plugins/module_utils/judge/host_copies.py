"""Copies between host and GPU, against what its PCI Express link carries at most."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.measured import (
    GB_S,
    HOST_PHASE,
    Figure,
    Gate,
    each_rank,
    gated,
    sampled,
    wrong,
)
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Observation
from ansible_collections.gpu.fleet.plugins.module_utils.observation_probe import Probe, Rank
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

# What a lane carries in one direction, GB/s: transfers per second (8, 16, 32 and 64 GT/s) less the line code (128b/130b; in generation 6
# one bit each and 242 of 256 bytes of a FLIT).
LANE_GB_S = {3: 8 * 128 / 130 / 8, 4: 16 * 128 / 130 / 8, 5: 32 * 128 / 130 / 8, 6: 64 * 242 / 256 / 8}

_NO_GATE = "no gate: NVML does not tell the PCIe link's generation and width"


def to_device(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require copies from the host to reach a part of what the link carries."""
    return _each("host_to_device", "from host to GPU", "to_device_gb_s", observation, expectation)


def from_device(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require copies to the host to reach a part of what the link carries."""
    return _each("device_to_host", "from GPU to host", "from_device_gb_s", observation, expectation)


def link_peak(generation: int, lanes: int) -> float | None:
    """Return what a PCI Express link carries in one direction at most, in GB/s; None for a generation that is not known here."""
    return LANE_GB_S[generation] * lanes if generation in LANE_GB_S else None


def _each(check: str, way: str, field: str, observation: Observation, expectation: Expectation) -> list[Finding]:
    def judge(about: About, rank: Rank, gpu: Gpu | None) -> Finding:
        absent = about.without(copies_between_host_and_GPU=rank.host)
        if absent:
            return absent
        result, probe = rank.host.value, observation.probe.value
        on_cpu = probe.device == "cpu"
        if not result.correct:
            advice = "look at the PCIe link (lspci -vv, AER in the kernel log), at the host's memory, and then at the GPU"
            what = "data that came back from the GPU different from what was sent"
            return wrong(about, what, "the data that was sent", advice, action="investigate")
        value = float(getattr(result, field))
        told = f"{value:.4g} {GB_S} {way} (pinned memory, {result.bytes / 1e6:.4g} MB a copy{_link(probe, rank, gpu)})"
        advice = "look at pcie_width and pcie_generation, the BIOS setting of the slot, the IOMMU, and the host's memory"
        return gated(about, Figure(told, value, GB_S), _gate(gpu, expectation), advice, on_cpu=on_cpu)

    return each_rank(check, observation, judge)


def _gate(gpu: Gpu | None, expectation: Expectation) -> Gate:
    if gpu is None or not (gpu.pcie_generation_max.is_known and gpu.pcie_width_max.is_known):
        return Gate(None, _NO_GATE)
    generation, lanes = gpu.pcie_generation_max.value, gpu.pcie_width_max.value
    peak, part = link_peak(generation, lanes), expectation.peak_fraction
    if peak is None:
        return Gate(None, f"no gate: PCIe generation {generation} is older or newer than those known here")
    return Gate(peak * part, f"{part:g} of the {peak:.3g} {GB_S} that PCIe generation {generation} x{lanes} carries")


def _link(probe: Probe, rank: Rank, gpu: Gpu | None) -> str:
    """Say at which generation the link ran meanwhile."""
    seen = sampled(probe, rank, gpu, HOST_PHASE)
    spread = seen.value.pcie_generation if seen.is_known else None
    return f"; PCIe generation {spread.value.high:.0f} meanwhile" if spread and spread.is_known else ""
