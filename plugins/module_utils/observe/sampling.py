"""Looks at the GPUs again and again while something else uses them: clocks, power, temperature, what holds clocks down, and the PCIe link.

A child does it, since NVML may hang; it writes into a file without a name, so that what it saw before that is not lost.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Child, Deadline
from ansible_collections.gpu.fleet.plugins.module_utils.observation_probe import Phase, Sampled, Spread
from ansible_collections.gpu.fleet.plugins.module_utils.observe.nvml_call import NOT_SUPPORTED, first, temperature
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

_GRAPHICS = 0  # nvmlClockType_t
_REASONS = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")
_BITS = 32
_NONE_TOLD = "NVML told none while it ran"


@dataclass(frozen=True)
class Sample:
    """One look at one GPU: None is what it does not have, a text why it could not be read."""

    at: float  # seconds since 1970
    uuid: str
    clock_mhz: float | str | None
    power_w: float | str | None
    temperature_c: float | str | None
    pcie_generation: float | str | None
    event_reasons: int | str | None


class Sampler:
    """Looking, from now until the end."""

    def __init__(self, load: Callable[[], Any], deadline: Deadline, every_s: float) -> None:
        """Start. `load` imports NVML's bindings (in the child)."""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as this does
        self._read = 0
        self._child = Child(lambda _emit: _look(load(), self._file.fileno(), every_s), deadline)

    def taken(self) -> list[Sample]:
        """Return what was seen since the last call."""
        data = os.pread(self._file.fileno(), os.fstat(self._file.fileno()).st_size - self._read, self._read)
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        return [Sample(at, *each) for at, seen in map(json.loads, whole.splitlines()) for each in seen]

    def end(self) -> None:
        """Look no more."""
        self._child.end()
        self._file.close()


class Watched:
    """What a sampler saw: of the samples of a burn-in only what they say together is kept."""

    def __init__(self, sampler: Sampler) -> None:
        """Have seen nothing yet."""
        self._sampler = sampler
        self._seen: list[Sample] = []

    def during(self, phases: Sequence[Phase]) -> Reading[tuple[Sampled, ...]]:
        """Say what was seen in each part of the measurement."""
        self._see()
        return summarise(self._seen, phases)

    def take(self, began: float, ended: float) -> tuple[Sampled, ...]:
        """Say what was seen of each GPU in this time, and forget it."""
        self._see()
        found = summarise([sample for sample in self._seen if began <= sample.at <= ended], [Phase("burn_in", began, ended)])
        self._seen = [sample for sample in self._seen if sample.at < began]
        return found.value if found.is_known else ()

    def _see(self) -> None:
        self._seen += self._sampler.taken()


def summarise(samples: Collection[Sample], phases: Sequence[Phase]) -> Reading[tuple[Sampled, ...]]:
    """Say for each GPU and each part of the measurement what was seen while that ran."""
    if not samples:
        return Reading.unreadable("NVML told nothing while the probe ran")
    found = []
    for name in dict.fromkeys(phase.name for phase in phases):
        times = [(phase.began, phase.ended) for phase in phases if phase.name == name]
        during = [sample for sample in samples if any(began <= sample.at <= ended for began, ended in times)]
        uuids = dict.fromkeys(sample.uuid for sample in during)
        found += [summary(name, [sample for sample in during if sample.uuid == uuid]) for uuid in uuids]
    return Reading.of(tuple(found))


def summary(phase: str, samples: Sequence[Sample]) -> Sampled:
    """Put together what was seen of one GPU."""
    return Sampled(
        uuid=samples[0].uuid,
        phase=phase,
        samples=len(samples),
        clock_mhz=_together([sample.clock_mhz for sample in samples], _spread),
        power_w=_together([sample.power_w for sample in samples], _spread),
        temperature_c=_together([sample.temperature_c for sample in samples], _spread),
        pcie_generation=_together([sample.pcie_generation for sample in samples], _spread),
        event_reasons=_together([sample.event_reasons for sample in samples], _shares),
    )


def _together(values: Sequence[Any], put: Callable[[Sequence[Any]], Any]) -> Reading[Any]:
    """Put together what was told. Where nothing ever was, one error is enough for it to be unread."""
    told = [value for value in values if value is not None and not isinstance(value, str)]
    if told:
        return Reading.of(put(told))
    errors = [value for value in values if isinstance(value, str)]
    return Reading.unreadable(f"{errors[0]}, whenever it was asked while it ran") if errors else Reading.unsupported(_NONE_TOLD)


def _spread(values: Sequence[float]) -> Spread:
    return Spread(min(values), statistics.median(values), max(values))


def _shares(masks: Sequence[int]) -> dict[str, float]:
    """Say of each bit that was ever set in which part of the samples it was."""
    shares = {hex(1 << bit): round(sum(mask >> bit & 1 for mask in masks) / len(masks), 3) for bit in range(_BITS)}
    return {bit: share for bit, share in shares.items() if share}


def _look(nvml: Any, file: int, every_s: float) -> None:
    nvml.nvmlInit()
    gpus = [_told(nvml, partial(_gpu, nvml, index)) for index in range(nvml.nvmlDeviceGetCount())]
    handles = [gpu for gpu in gpus if isinstance(gpu, tuple)]  # one that does not answer is another check's
    while True:
        line = json.dumps([time.time(), [[uuid, *_glance(nvml, handle)] for uuid, handle in handles]])
        os.write(file, line.encode() + b"\n")
        time.sleep(every_s)


def _gpu(nvml: Any, index: int) -> tuple[str, Any]:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    return nvml.nvmlDeviceGetUUID(handle), handle


def _glance(nvml: Any, gpu: Any) -> list[float | str | None]:
    return [
        _told(nvml, lambda: nvml.nvmlDeviceGetClockInfo(gpu, _GRAPHICS)),
        _told(nvml, lambda: nvml.nvmlDeviceGetPowerUsage(gpu) / 1000),
        _told(nvml, lambda: temperature(nvml, gpu)),
        _told(nvml, lambda: nvml.nvmlDeviceGetCurrPcieLinkGeneration(gpu)),
        _told(nvml, lambda: first(nvml, *((name, (gpu,)) for name in _REASONS))),
    ]


def _told(nvml: Any, ask: Callable[[], Any]) -> Any:
    """Ask; None is that the GPU has no such thing, a text why it could not be read."""
    try:
        return ask()
    except (nvml.NVMLError, AttributeError) as error:
        return None if getattr(error, "value", None) == NOT_SUPPORTED else f"NVML: {error}"
