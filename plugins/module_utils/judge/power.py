"""Power: may each GPU draw what it is made for. One that may not is the slowest of every job."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import SOURCE, Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding, at_least, quantity
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import over_gpus
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Observation
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_UNIT = "W"
_ROUNDING = 1.0  # limits are set in whole watts, and rounded on their way


def limit(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require the power limit that the inventory says, else the one that the GPU comes with."""

    def judge(about: About, gpu: Gpu) -> Finding:
        # What is enforced counts; it is the lowest of all limits, also of those that the board's controller sets.
        now = gpu.power_limit_w if gpu.power_limit_enforced_w.is_unsupported else gpu.power_limit_enforced_w
        absent = about.without(power_limit=now)
        if absent:
            return absent
        if expectation.power_limit is not None:
            wanted, source = expectation.power_limit, SOURCE
        else:
            absent = about.without(default_power_limit=gpu.power_limit_default_w)
            if absent:
                return absent
            wanted, source = gpu.power_limit_default_w.value, "the GPU's default"
        observed, expected = quantity(now.value, _UNIT), at_least(wanted, _UNIT)
        if now.value >= wanted - _ROUNDING:
            return about.passed(f"power limit {now.value:.0f} {_UNIT}", observed=observed, expected=expected, source=source)
        return about.failed(
            f"found a power limit of {now.value:.0f} {_UNIT}, expected {wanted:.0f} ({source}): {_advice(gpu, wanted)}",
            observed=observed,
            expected=expected,
            source=source,
            action="investigate",
            kills_job=False,
        )

    return over_gpus("power_limit", observation, judge)


def _advice(gpu: Gpu, wanted: float) -> str:
    if gpu.power_limit_w.is_known and gpu.power_limit_w.value >= wanted - _ROUNDING:
        return "it is not set on this node, so look at the board's controller and the power supplies"
    return f"set it with nvidia-smi -i {gpu.index} -pl {wanted:.0f}, or say power_limit in the inventory if it is meant"
