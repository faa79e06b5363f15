"""The InfoROM: is a GPU's own configuration memory, in which it also keeps its error counts, intact."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import over_gpus
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Observation
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables


def checksums(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require that NVML finds the checksums right."""

    def judge(about: About, gpu: Gpu) -> Finding:
        absent = about.without(InfoROM=gpu.inforom_valid)
        if absent:
            return absent
        if gpu.inforom_valid.value:
            return about.passed("the InfoROM is intact", observed="valid", expected="valid", source="NVML")
        return about.failed(
            "found the InfoROM corrupted, expected it valid: remapped rows and error counts may be lost; "
            "reboot, and have the GPU replaced if it stays so",
            observed="corrupted",
            expected="valid",
            source="NVML",
            action="investigate",
            kills_job=False,
        )

    return over_gpus("inforom", observation, judge)
