"""NVLink: are as many links up as this product has, and is the GPU a member of the NVSwitch fabric."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import SOURCE, Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import answering, listed, over_gpus, reference
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Observation
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_NAMED_LINKS = 6
_PEERS = "this node's GPU with the most, since the reference table does not know the model"
_MIG = "MIG is on: its slices use no NVLink, and A100's driver switches the links off"
_FABRIC_COMPLETED = 3
_FABRIC_STATES = {1: "not started", 2: "in progress", _FABRIC_COMPLETED: "completed"}
# Pairs of bits of the health mask, and which value of each is bad; 0 is not supported.
_HEALTH = {
    0: (1, "degraded bandwidth"),
    2: (1, "route recovery in progress"),
    4: (1, "route unhealthy"),
    6: (1, "access timeout recovery"),
    12: (2, "no partition assigned"),
    14: (2, "global fabric manager disconnected"),
}
_UNHEALTHY = 2
_SUMMARIES = {_UNHEALTHY: "unhealthy", 3: "limited capacity"}
_CONFIGURATION_SHIFT, _CONFIGURATION_MASK, _CONFIGURATION_GOOD = 8, 0xF, (0, 1)
_CONFIGURATION = {
    2: "wrong system GUID",
    3: "wrong chassis serial number",
    4: "no partition",
    5: "too few NVLinks",
    6: "incompatible GPU firmware",
    7: "invalid location",
    8: "invalid GPU state",
}


def links(observation: Observation, expectation: Expectation, tables: Tables) -> list[Finding]:
    """Require as many NVLinks up as the inventory says, else as the product has, else as on the node's other GPUs."""
    counts = [sum(gpu.nvlinks.value.values()) for gpu in answering(observation) if gpu.nvlinks.is_known and not gpu.in_slices]
    alone = len(listed(observation)) == 1

    def judge(about: About, gpu: Gpu) -> Finding:
        allowed, source = _allowed(gpu, expectation, tables, counts, alone=alone)
        if allowed == (0,) and source == _PEERS:
            return _none_up(about, gpu, observation)
        if allowed == (0,):
            return about.skipped("this GPU has no NVLink" if not alone else "there is no other GPU to be linked with")
        if not gpu.nvlinks.is_known:
            return about.error(f"NVLinks could not be read: {gpu.nvlinks.why}")
        up = sum(gpu.nvlinks.value.values())
        if up in allowed:
            return about.passed(f"{up} NVLinks up" if up else "no NVLink bridge", observed=up, expected=up, source=source)
        if up == 0 and gpu.in_slices and expectation.nvlink_links is None:
            return about.skipped(_MIG)
        return _down(about, gpu, allowed[0], source, " or ".join(map(str, allowed)))

    return over_gpus("nvlink", observation, judge)


def _allowed(gpu: Gpu, expectation: Expectation, tables: Tables, counts: list[int], *, alone: bool) -> tuple[tuple[int, ...], str]:
    if expectation.nvlink_links is not None:
        return (expectation.nvlink_links,), SOURCE
    if alone:
        return (0,), "a single GPU"
    row = reference(gpu, tables)
    if row is not None:
        return ((row.nvlink_links, 0) if row.nvlink_bridge else (row.nvlink_links,)), row.cited
    return (max(counts, default=0),), _PEERS


def _none_up(about: About, gpu: Gpu, observation: Observation) -> Finding:
    """Judge a model that no table knows, on a node where no whole GPU has a link up: only NVML can say that it has none."""
    if not gpu.nvlinks.is_known:
        return about.error(f"NVLinks could not be read: {gpu.nvlinks.why}")
    count = len(gpu.nvlinks.value)
    if not count:
        return about.skipped("this GPU has no NVLink")
    if gpu.in_slices:
        return about.skipped(_MIG)
    switched = gpu.fabric.is_known or (observation.pci.is_known and observation.pci.value.nvswitches)
    if not switched:
        return about.skipped(f"{count} NVLinks, none up: whether they should be is not known, without an NVSwitch and for this model")
    return _down(about, gpu, count, "NVML lists them, and there is an NVSwitch fabric")


def _down(about: About, gpu: Gpu, wanted: int, source: str, told: str = "") -> Finding:
    """Conclude that links are missing; `told` is how many are expected, in words, where that is not one number."""
    up = sum(gpu.nvlinks.value.values())
    down = [link for link, state in gpu.nvlinks.value.items() if not state]
    return about.failed(
        f"found {up} NVLinks up{_naming(down)}, expected {told or wanted}: "
        "look at nvidia-smi nvlink --status and the kernel log, then reset the GPUs",
        observed=up,
        expected=wanted,
        source=source,
        action="reset_gpu",
        kills_job=True,
    )


def _naming(down: list[str]) -> str:
    if len(down) > _NAMED_LINKS:
        return f" ({len(down)} down)"
    return f" (down: {', '.join(down)})" if down else ""


def fabric(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require, on NVSwitch systems of Hopper and later, that the GPU has joined the fabric, without which CUDA does not start."""

    def judge(about: About, gpu: Gpu) -> Finding:
        absent = about.without(fabric=gpu.fabric)
        if absent:
            return absent
        seen = gpu.fabric.value
        state, status, mask = seen.state, seen.status, seen.health_mask
        if state != _FABRIC_COMPLETED:
            found = _FABRIC_STATES.get(state, f"state {state}")
            return _bad(about, found, "look at systemctl status nvidia-fabricmanager; its version must be the driver's", kills_job=True)
        if status:
            return _bad(about, f"completed with error {status}", "read the fabric manager's log, then reset the GPUs", kills_job=True)
        troubles = [name for shift, (bad, name) in _HEALTH.items() if mask >> shift & 3 == bad]
        configuration = mask >> _CONFIGURATION_SHIFT & _CONFIGURATION_MASK
        if configuration not in _CONFIGURATION_GOOD:
            troubles.append(f"configured wrongly ({_CONFIGURATION.get(configuration, f'number {configuration}')})")
        kills = mask >> 4 & 3 == 1
        if not troubles and seen.health_summary in _SUMMARIES:  # which says no more than a mask that names something
            troubles, kills = [_SUMMARIES[seen.health_summary]], seen.health_summary == _UNHEALTHY
        if troubles:
            return _bad(about, f"completed, but {', '.join(troubles)}", "read the fabric manager's log", kills_job=kills)
        return about.passed("joined the NVSwitch fabric", observed="completed", expected="completed", source="NVML")

    return over_gpus("fabric", observation, judge)


def _bad(about: About, found: str, advice: str, *, kills_job: bool) -> Finding:
    return about.failed(
        f"found the fabric {found}, expected it completed and healthy: {advice}",
        observed=found,
        expected="completed",
        source="NVML",
        action="investigate",
        kills_job=kills_job,
    )
