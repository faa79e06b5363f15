"""MIG: is a GPU whole, or partitioned, as the inventory says, and are there partitions where it is."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import SOURCE, Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding, at_least
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import over_gpus
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Observation
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables


def mode(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require the MIG mode that the inventory says, MIG devices where it is on, and that no other mode waits for a reset."""
    wanted = expectation.mig_mode

    def judge(about: About, gpu: Gpu) -> Finding:
        if gpu.mig_enabled.is_unsupported and wanted:
            return _failed(about, "none", "found a GPU that has no MIG, expected it on: correct mig_mode in the inventory", wanted=True)
        absent = about.without(MIG_mode=gpu.mig_enabled, pending_MIG_mode=gpu.mig_pending)
        if absent:
            return absent
        now, pending = gpu.mig_enabled.value, gpu.mig_pending.value
        if wanted is not None and now != wanted:
            advice = f"set it with nvidia-smi -i {gpu.index} -mig {int(wanted)}, and reset the GPU"
            return _failed(about, _word(now), f"found MIG {_word(now)}, expected {_word(wanted)}: {advice}", wanted=wanted)
        undivided = _undivided(about, gpu) if now else None
        if undivided:
            return undivided
        if pending != now:
            return about.failed(
                f"found MIG {_word(now)}, and {_word(pending)} after the next reset; expected no change to wait: "
                f"reset the GPU, or take it back with nvidia-smi -i {gpu.index} -mig {int(now)}",
                observed=f"{_word(now)}, {_word(pending)} after the next reset",
                expected=_word(now),
                source="NVML",
                action="reset_gpu",
                kills_job=False,
            )
        expected, source = (None, None) if wanted is None else (_word(wanted), SOURCE)
        devices = f", {gpu.mig_devices.value} MIG devices" if now else ""
        return about.passed(f"MIG {_word(now)}{devices}", observed=_word(now), expected=expected, source=source)

    return over_gpus("mig", observation, judge)


def _undivided(about: About, gpu: Gpu) -> Finding | None:
    """Find a GPU that nothing can run on: with MIG on, jobs see its MIG devices only."""
    if not gpu.mig_devices.is_known:
        return about.error(f"MIG is on, and its MIG devices could not be counted: {gpu.mig_devices.why}")
    if gpu.mig_devices.value:
        return None
    return about.failed(
        f"found MIG on and no MIG device, expected at least one, since nothing can run on this GPU: make them with "
        f"nvidia-smi mig -i {gpu.index} -cgi PROFILE -C (nvidia-smi mig -lgip lists the profiles), or switch MIG off with "
        f"nvidia-smi -i {gpu.index} -mig 0",
        observed=0,
        expected=at_least(1, "MIG devices"),
        source="NVIDIA MIG user guide: GPU instances and compute instances have to be made before CUDA can run",
        action="investigate",
        kills_job=True,
    )


def _failed(about: About, now: str, message: str, *, wanted: bool) -> Finding:
    # A job made for whole GPUs finds slices that cannot talk to each other, or no device at all; one made for slices finds none.
    return about.failed(message, observed=now, expected=_word(wanted), source=SOURCE, action="investigate", kills_job=True)


def _word(mode: bool) -> str:  # noqa: FBT001 - a mode is on or off
    return "on" if mode else "off"
