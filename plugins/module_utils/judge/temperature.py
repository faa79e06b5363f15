"""Temperature: how far is each GPU, and its memory, from where it slows itself down."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import SOURCE, Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding, at_most, quantity
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import over_gpus, owed
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Observation
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_UNIT = "°C"
_MARGIN = 5


def check(observation: Observation, expectation: Expectation, tables: Tables) -> list[Finding]:
    """Require each GPU to be cooler than the inventory's limit, else than its own slowdown threshold less a margin."""

    def judge(about: About, gpu: Gpu) -> Finding:
        absent = about.without(temperature=owed(gpu.temperature_c, gpu, tables))
        if absent:
            return absent
        now = gpu.temperature_c.value
        limit, source = _limit(gpu, expectation)
        if limit.is_unreadable:
            return about.error(f"the slowdown threshold could not be read: {limit.why}")
        if limit.is_unsupported:
            return about.skipped(f"{now} {_UNIT}; no limit to hold it against: {limit.why}", observed=quantity(now, _UNIT))
        if now <= limit.value:
            return about.passed(f"{now} {_UNIT}", observed=quantity(now, _UNIT), expected=at_most(limit.value, _UNIT), source=source)
        return about.failed(
            f"found {now} {_UNIT}, expected at most {limit.value:g} ({source}): look at fans, airflow and inlet temperature",
            observed=quantity(now, _UNIT),
            expected=at_most(limit.value, _UNIT),
            source=source,
            action="investigate",
            kills_job=False,
        )

    return over_gpus("temperature", observation, judge, merge=False)


def memory(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require the memory to be cooler than where the GPU slows itself down for it."""

    def judge(about: About, gpu: Gpu) -> Finding:
        absent = about.without(memory_temperature=gpu.memory_temperature_c, its_limit=gpu.memory_temperature_max_c)
        if absent:
            return absent
        now, most = gpu.memory_temperature_c.value, gpu.memory_temperature_max_c.value
        observed, expected, source = quantity(now, _UNIT), at_most(most, _UNIT), "the memory's highest operating temperature"
        if now <= most:
            return about.passed(f"memory {now} {_UNIT}", observed=observed, expected=expected, source=source)
        return about.failed(
            f"found the memory at {now} {_UNIT}, expected at most {most} ({source}): look at fans, airflow and the heat sink",
            observed=observed,
            expected=expected,
            source=source,
            action="investigate",
            kills_job=False,
        )

    return over_gpus("memory_temperature", observation, judge)


def _limit(gpu: Gpu, expectation: Expectation) -> tuple[Reading[float], str]:
    if expectation.temperature_max is not None:
        return Reading.of(expectation.temperature_max), SOURCE
    source = f"{_MARGIN} below the GPU's slowdown threshold"
    if gpu.temperature_slowdown_c.is_known:
        return Reading.of(float(gpu.temperature_slowdown_c.value - _MARGIN)), source
    if gpu.temperature_margin_c.is_known and gpu.temperature_slowdown_c.is_unsupported:
        return Reading.of(float(gpu.temperature_c.value + gpu.temperature_margin_c.value - _MARGIN)), source
    unreadable = gpu.temperature_slowdown_c if gpu.temperature_slowdown_c.is_unreadable else gpu.temperature_margin_c
    return Reading(unreadable.state, unreadable.content), source
