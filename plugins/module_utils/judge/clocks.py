"""Clocks: is something holding them down that should not, or are they set lower than the GPU comes with."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import over_gpus, owed
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Observation
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

# The other bits (idle, application clocks, power cap under load) are a GPU's ordinary life.
_BAD = {
    0x08: ("hardware slowdown", "look at power supply and cooling"),
    0x20: ("software thermal slowdown", "look at cooling: airflow, fans, blocked filters"),
    0x40: ("hardware thermal slowdown", "look at cooling: airflow, fans, heat sink"),
    0x80: ("power brake", "look at the power supplies, one may have failed"),
}


def held_down() -> list[tuple[int, str, str]]:
    """List what should not hold clocks down: the bit of the clock event reasons, its name, and what to do about it."""
    return [(bit, name, advice) for bit, (name, advice) in _BAD.items()]


def event_reasons(observation: Observation, _expectation: Expectation, tables: Tables) -> list[Finding]:
    """Require that the clocks are not held down by heat or by the power supply."""

    def judge(about: About, gpu: Gpu) -> Finding:
        absent = about.without(clock_event_reasons=owed(gpu.clock_event_reasons, gpu, tables))
        if absent:
            return absent
        mask = gpu.clock_event_reasons.value
        bad = [(name, advice) for bit, (name, advice) in _BAD.items() if mask & bit]
        if not bad:
            return about.passed("clocks not held down by heat or power supply", observed=[], expected=[], source="NVML")
        names = [name for name, _advice in bad]
        return about.failed(
            f"found clocks held down: {', '.join(names)} (mask {mask:#x}), expected none: {bad[-1][1]}",
            observed=names,
            expected=[],
            source="NVML",
            action="investigate",
            kills_job=False,
        )

    return over_gpus("clocks", observation, judge)


def application_clocks(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require that the clocks for load are not set below those that the GPU comes with."""

    def judge(about: About, gpu: Gpu) -> Finding:
        absent = about.without(application_clocks=gpu.application_clocks)
        if absent:
            return absent
        clocks = gpu.application_clocks.value
        now, wanted = (clocks.graphics, clocks.memory), (clocks.default_graphics, clocks.default_memory)
        observed, expected = (dict(zip(("graphics", "memory"), pair)) for pair in (now, wanted))
        source = "the GPU's default"
        if all(one >= other for one, other in zip(now, wanted)):
            return about.passed("application clocks not lowered", observed=observed, expected=expected, source=source)
        return about.failed(
            f"found application clocks of {now[0]} MHz (memory {now[1]} MHz), expected at least {wanted[0]} MHz ({wanted[1]} MHz), "
            f"{source}: take the setting back with nvidia-smi -i {gpu.index} -rac",
            observed=observed,
            expected=expected,
            source=source,
            action="investigate",
            kills_job=False,
        )

    return over_gpus("application_clocks", observation, judge)
