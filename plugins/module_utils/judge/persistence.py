"""Persistence mode: does the driver stay loaded between jobs. Without it each start takes seconds per GPU."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import SOURCE, Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import over_gpus
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Observation
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables


def mode(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require persistence mode, unless the inventory says that it need not be."""
    source = SOURCE if expectation.persistence_mode is not None else "NVIDIA driver persistence guide"

    def judge(about: About, gpu: Gpu) -> Finding:
        if expectation.persistence_mode is False:
            return about.skipped("the inventory does not ask for persistence mode")
        absent = about.without(persistence_mode=gpu.persistence_mode)
        if absent:
            return absent
        if gpu.persistence_mode.value:
            return about.passed("persistence mode on", observed=True, expected=True, source=source)
        return about.failed(
            "found persistence mode off, expected on: enable nvidia-persistenced (systemctl enable --now nvidia-persistenced)",
            observed=False,
            expected=True,
            source=source,
            action="investigate",
            kills_job=False,
        )

    return over_gpus("persistence", observation, judge)
