"""PCI Express: does the link run at its whole width and speed, and without repeating what it sends.

The generation falls when a GPU is idle, and is therefore judged on a busy one only: one that works now, or that the probe had copy data.
"""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import SOURCE, Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding, at_most, quantity
from ansible_collections.gpu.fleet.plugins.module_utils.judge.counters import FIRST, minutes, rise
from ansible_collections.gpu.fleet.plugins.module_utils.judge.measured import HOST_PHASE
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import over_gpus
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Observation
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_IDLE = 0x1  # of the clock event reasons
_MOST_REPLAYS = 8  # in a minute
_REPLAY_SOURCE = "limit of NVIDIA DCGM's health watch"


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


def generation(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require a link that can be as fast as the inventory says, and that is as fast as GPU and slot allow where the GPU is busy."""

    def judge(about: About, gpu: Gpu) -> Finding:
        now, most = gpu.pcie_generation, gpu.pcie_generation_max
        absent = about.without(PCIe_generation=now, highest_possible_PCIe_generation=most)
        if absent:
            return absent
        wanted = expectation.pcie_generation
        if wanted is not None and most.value < wanted:
            return _slow(about, f"a PCIe link that allows generation {most.value}", most.value, wanted, SOURCE)
        both = "what GPU and slot allow"
        loaded = _under_load(gpu, observation)
        if loaded is not None and loaded < most.value:
            return _slow(about, f"PCIe generation {loaded} under load", loaded, most.value, both)
        idle = ", judged by what is possible since it falls when idle" if loaded is None else ", also under load"
        told = f"PCIe generation {most.value}{_slot(gpu)}{idle}"
        return about.passed(told, observed=most.value, expected=wanted or most.value, source=both if wanted is None else SOURCE)

    return over_gpus("pcie_generation", observation, judge)


def replays(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require that the link hardly ever had to repeat a packet since the last check."""

    def judge(about: About, gpu: Gpu) -> Finding:
        absent = about.without(PCIe_replay_counter=gpu.pcie_replays)
        if absent:
            return absent
        risen, elapsed = rise(observation, gpu, "pcie_replays", gpu.pcie_replays.value), minutes(observation)
        if risen is None or elapsed is None:
            return about.passed(f"PCIe replay counter: {FIRST}")
        rate = risen / elapsed
        observed, expected = quantity(rate, "replays/min"), at_most(_MOST_REPLAYS, "replays/min")
        if rate <= _MOST_REPLAYS:
            told = f"{risen} PCIe replays since the last check" if risen else "no PCIe replay since the last check"
            return about.passed(told, observed=observed, expected=expected, source=_REPLAY_SOURCE)
        return about.failed(
            f"found {risen} PCIe replays since the last check ({rate:.0f} a minute), expected at most {_MOST_REPLAYS} a minute: "
            "reseat the GPU or its riser, and look at the kernel log for AER",
            observed=observed,
            expected=expected,
            source=_REPLAY_SOURCE,
            action="investigate",
            kills_job=False,
        )

    return over_gpus("pcie_replays", observation, judge)


def _slow(about: About, found: str, now: int, wanted: int, source: str) -> Finding:
    return about.failed(
        f"found {found}, expected generation {wanted} ({source}): "
        "look at lspci -vv for LnkSta, the slot's setting in the BIOS, and the riser",
        observed=now,
        expected=wanted,
        source=source,
        action="investigate",
        kills_job=False,
    )


def _under_load(gpu: Gpu, observation: Observation) -> int | None:
    """Return the lowest generation at which the link ran while it had something to carry; None where it was never seen so."""
    probe = observation.probe.value if observation.probe.is_known else None
    sampled = probe.sampled.value if probe and probe.device == "cuda" and probe.sampled.is_known else ()
    seen = [
        int(each.pcie_generation.value.high)  # it rises within moments
        for each in sampled
        if gpu.uuid.is_known and (each.uuid, each.phase) == (gpu.uuid.value, HOST_PHASE) and each.pcie_generation.is_known
    ]
    return min([*seen, *([gpu.pcie_generation.value] if _busy(gpu) else [])], default=None)


def _busy(gpu: Gpu) -> bool:
    """Whether the GPU is known to work: it did in the last second, and does not say that it is idle."""
    working = gpu.utilization_percent.is_known and gpu.utilization_percent.value > 0
    return working and gpu.clock_event_reasons.is_known and not gpu.clock_event_reasons.value & _IDLE


def _slot(gpu: Gpu) -> str:
    own = gpu.pcie_generation_device_max
    return f" (the slot's; the GPU's is {own.value})" if own.is_known and own.value > gpu.pcie_generation_max.value else ""


def _widths(gpu: Gpu, observation: Observation) -> tuple[Reading[int], Reading[int]]:
    """NVML's widths; the kernel's where NVML has none to tell."""
    if gpu.pcie_width.is_unsupported and gpu.pci_bus_id.is_known and observation.pci.is_known:
        for device in observation.pci.value.gpus:
            if device.address == gpu.pci_bus_id.value:
                return device.link_width, device.link_width_max
    return gpu.pcie_width, gpu.pcie_width_max
