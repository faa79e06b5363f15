"""Clocks: is something holding them down that should not."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import over_gpus
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Observation
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

# The other bits (idle, application clocks, power cap under load) are a GPU's ordinary life.
_BAD = {
    0x08: ("hardware slowdown", "look at power supply and cooling"),
    0x20: ("software thermal slowdown", "look at cooling: airflow, fans, blocked filters"),
    0x40: ("hardware thermal slowdown", "look at cooling: airflow, fans, heat sink"),
    0x80: ("power brake", "look at the power supplies, one may have failed"),
}


def event_reasons(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require that the clocks are not held down by heat or by the power supply."""

    def judge(about: About, gpu: Gpu) -> Finding:
        absent = about.without(clock_event_reasons=gpu.clock_event_reasons)
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
