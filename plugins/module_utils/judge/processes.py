"""Who holds the GPUs: leftover processes, and the mode that says how many may."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import SOURCE, Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import over_gpus
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Observation
from ansible_collections.gpu.fleet.plugins.module_utils.observation_gpu import GpuProcess
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_COMPUTE_MODES = {0: "default", 1: "exclusive_thread", 2: "prohibited", 3: "exclusive_process"}
_PROHIBITED = "prohibited"
_NAMED = 4


def leftover(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require that no process that has ended holds a GPU, and, where the inventory says that the node is idle, none at all."""

    def judge(about: About, gpu: Gpu) -> Finding:
        absent = about.without(processes=gpu.processes)
        if absent:
            # Nothing rests on it unless the inventory asks.
            return absent if expectation.idle else about.skipped(absent.message)
        processes = gpu.processes.value
        dead = [process for process in processes if process.alive.is_known and not process.alive.value]
        if dead:
            return about.failed(
                f"found the GPU held by what has ended: {_named(dead)}; expected its memory to be free: "
                "reset the GPU, or reboot if that is refused",
                observed=_told(dead),
                expected=[],
                source="the host's processes",
                action="reset_gpu",
                kills_job=False,
            )
        if processes and expectation.idle:
            return about.failed(
                f"found the GPU in use: {_named(processes)}; expected no process: end what is left over, or leave idle out",
                observed=_told(processes),
                expected=[],
                source=SOURCE,
                action="restart_app",
                kills_job=False,
            )
        return about.passed(f"in use: {_named(processes)}" if processes else "no process holds it", observed=_told(processes))

    return over_gpus("processes", observation, judge)


def compute_mode(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require the compute mode that the inventory says, else one in which a job can start."""
    wanted = expectation.compute_mode

    def judge(about: About, gpu: Gpu) -> Finding:
        absent = about.without(compute_mode=gpu.compute_mode)
        if absent:
            return absent
        now = _COMPUTE_MODES.get(gpu.compute_mode.value, f"mode {gpu.compute_mode.value}")
        source = "NVML" if wanted is None else SOURCE
        if (now == wanted) if wanted else (now != _PROHIBITED):
            return about.passed(f"compute mode {now}", observed=now, expected=wanted, source=source)
        expected = wanted or "default"
        return about.failed(
            f"found compute mode {now}, expected {expected}: set it with nvidia-smi -i {gpu.index} -c {expected.upper()}",
            observed=now,
            expected=expected,
            source=source,
            action="investigate",
            kills_job=now == _PROHIBITED,
        )

    return over_gpus("compute_mode", observation, judge)


def _named(processes: tuple[GpuProcess, ...] | list[GpuProcess]) -> str:
    named = [f"{process.pid} ({process.name}{_size(process)})" for process in processes[:_NAMED]]
    more = len(processes) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _size(process: GpuProcess) -> str:
    return f", {process.memory_mib.value} MiB" if process.memory_mib.is_known else ""


def _told(processes: tuple[GpuProcess, ...] | list[GpuProcess]) -> list[str]:
    return [f"{process.pid} {process.name}" for process in processes]
