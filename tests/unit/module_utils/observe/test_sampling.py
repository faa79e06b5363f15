"""GPUs looked at again and again: what is summarised belongs to the part that ran then, and a hang loses nothing that came before."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Deadline
from ansible_collections.gpu.fleet.plugins.module_utils.observation_probe import Phase, Spread
from ansible_collections.gpu.fleet.plugins.module_utils.observe.sampling import Sample, Sampler, summarise


def sample(at: float, uuid: str = "GPU-0", **changes: Any) -> Sample:
    calm: dict[str, Any] = {"clock_mhz": 1755, "power_w": 690.5, "temperature_c": 63, "pcie_generation": 5, "event_reasons": 0x4}
    return Sample(at, uuid, **{**calm, **changes})


def test_samples_belong_to_the_part_that_ran_then() -> None:
    samples = [
        sample(1, clock_mhz=300, event_reasons=0x1),
        sample(10),
        sample(12, clock_mhz=1410, event_reasons=0x44),
        sample(12, "GPU-1", power_w=None, event_reasons=None),
        sample(14),
        sample(20, pcie_generation=4),
        sample(31, pcie_generation=3),
    ]
    found = summarise(samples, [Phase("matmul", 9, 15), Phase("host", 19, 21), Phase("host", 30, 32), Phase("memory", 40, 41)]).value
    assert [(each.uuid, each.phase, each.samples) for each in found] == [
        ("GPU-0", "matmul", 3),
        ("GPU-1", "matmul", 1),
        ("GPU-0", "host", 2),
    ]
    first, second, host = found
    assert first.clock_mhz.value == Spread(1410, 1755, 1755)
    assert first.event_reasons.value == {"0x4": 1.0, "0x40": pytest.approx(1 / 3, abs=0.001)}
    assert second.power_w.is_unsupported
    assert second.event_reasons.is_unsupported
    assert host.pcie_generation.value == Spread(3, 3.5, 4)


def test_an_error_is_not_what_a_gpu_does_not_have() -> None:
    error = "NVML: Unknown Error"
    samples = [
        sample(10, event_reasons=None, power_w=error),
        sample(11, event_reasons=error, power_w=690.5),
        sample(12, "GPU-1", event_reasons=None),
    ]
    first, second = summarise(samples, [Phase("matmul", 9, 15)]).value
    assert first.event_reasons.is_unreadable
    assert first.event_reasons.why.startswith(error)
    assert first.power_w.value == Spread(690.5, 690.5, 690.5)
    assert second.event_reasons.is_unsupported


def test_without_samples_nothing_is_known() -> None:
    assert summarise([], [Phase("matmul", 9, 15)]).is_unreadable


class Bindings:
    """NVML's bindings: GPU 0 has no power reading and cannot read its clock, GPU 1 is lost, the fourth look at the temperature hangs."""

    def __init__(self) -> None:
        self.looks = 0

    class NVMLError(Exception):
        """As in the bindings."""

        def __init__(self, value: int) -> None:
            self.value = value
            super().__init__(f"error {value}")

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            self.looks += name == "nvmlDeviceGetTemperature"
            while self.looks > 3:
                time.sleep(60)
            failing = {"nvmlDeviceGetPowerUsage": 3, "nvmlDeviceGetClockInfo": 999}
            if name in failing or (name == "nvmlDeviceGetHandleByIndex" and arguments[0] == 1):
                raise self.NVMLError(failing.get(name, 15))
            return {"nvmlDeviceGetCount": 2, "nvmlDeviceGetUUID": "GPU-0"}.get(name, 5)

        return call


def test_what_was_seen_before_a_hang_is_kept() -> None:
    sampler = Sampler(Bindings, Deadline(20), every_s=0.001)
    seen: list[Sample] = []
    end = time.monotonic() + 10
    while len(seen) < 3 and time.monotonic() < end:
        time.sleep(0.01)
        seen += sampler.taken()
    sampler.end()
    assert [(each.uuid, each.clock_mhz, each.power_w) for each in seen] == [("GPU-0", "NVML: error 999", None)] * 3
