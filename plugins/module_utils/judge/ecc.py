"""Memory errors that ECC saw: any that it could not correct, and too many of them in the GPU's own SRAM."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.counters import rise
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import over_gpus, owed
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Observation
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_NVIDIA_MEMORY = "NVIDIA GPU memory error management"
_PLACES = ("dram", "sram")


def uncorrected(observation: Observation, _expectation: Expectation, tables: Tables) -> list[Finding]:
    """Require no memory error that ECC could not correct since the driver was loaded."""

    def judge(about: About, gpu: Gpu) -> Finding:
        if gpu.ecc_enabled.is_known and not gpu.ecc_enabled.value:
            return about.skipped("ECC is switched off")
        mode, (errors, since) = gpu.ecc_enabled, _errors(observation, gpu)
        if not _is_geforce(gpu):
            mode, errors = owed(mode, gpu, tables), owed(errors, gpu, tables)
        absent = about.without(ECC_mode=mode, uncorrected_ECC_errors=errors)
        if absent:
            return absent
        if errors.value == 0:
            message = f"no uncorrected ECC error since {since}{_told(observation, gpu)}"
            return about.passed(message, observed=0, expected=0, source=_NVIDIA_MEMORY)
        ever = gpu.ecc_aggregate_uncorrected
        return about.failed(
            f"found {errors.value} uncorrected ECC errors{_places(gpu)} since {since}"
            + (f" ({ever.value} in its life)" if ever.is_known else "")
            + ", expected 0: reset the GPU, and replace it if they come back",
            observed=errors.value,
            expected=0,
            source=_NVIDIA_MEMORY,
            action="reset_gpu",
            kills_job=True,
        )

    return over_gpus("ecc", observation, judge)


def sram(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require that the SRAM's uncorrected errors are fewer than what NVIDIA replaces a GPU for."""

    def judge(about: About, gpu: Gpu) -> Finding:
        if gpu.ecc_enabled.is_known and not gpu.ecc_enabled.value:
            return about.skipped("ECC is switched off")
        absent = about.without(SRAM_error_threshold=gpu.sram_threshold_exceeded)
        if absent:
            return absent
        if not gpu.sram_threshold_exceeded.value:
            message = "SRAM errors below the threshold of NVIDIA's field diagnostics"
            return about.passed(message, observed=False, expected=False, source=_NVIDIA_MEMORY)
        count = _count(gpu, "aggregate_uncorrected_sram")
        return about.failed(
            "found the SRAM's error threshold exceeded"
            + (f" ({count} uncorrected in its life)" if count else "")
            + ", expected it not to be: replace the GPU",
            observed=True,
            expected=False,
            source=_NVIDIA_MEMORY,
            action="replace",
            kills_job=True,
        )

    return over_gpus("sram", observation, judge)


def _errors(observation: Observation, gpu: Gpu) -> tuple[Reading[int], str]:
    """Count what could not be corrected: in total, else memory by memory, else (where MIG is on) by the change of what lasts.

    Errors count wherever they are told; that there are none is what a total says, or all memories together.
    """
    since = "the driver was loaded"
    total, ever = gpu.ecc_volatile_uncorrected, gpu.ecc_aggregate_uncorrected
    known = [count for count in (_count(gpu, f"volatile_uncorrected_{place}") for place in _PLACES) if count is not None]
    told = sum(known)
    if total.is_known:
        return Reading.of(max(total.value, told)), since
    if told:
        return Reading.of(told), since
    if total.is_unreadable:
        return total, since
    if len(known) == len(_PLACES):
        return Reading.of(0), since
    risen = _risen(observation, gpu) if ever.is_known else None
    if risen is not None:
        return Reading.of(risen), "the last check"
    lost = next((reading.why for reading in (gpu.ecc_errors, ever) if reading.is_unreadable), "")
    return Reading.unreadable(lost) if lost else total, since


def _is_geforce(gpu: Gpu) -> bool:
    """Whether it is a consumer's GPU: some have ECC (RTX 4090), others none (RTX 5090). Each other model of the table has it."""
    return gpu.name.is_known and "geforce" in gpu.name.value.lower()


def _told(observation: Observation, gpu: Gpu) -> str:
    """Tell what is no fault: errors that were corrected, and those that a reset since the last check has dealt with."""
    corrected = gpu.ecc_volatile_corrected
    told = f"; {corrected.value} corrected" if corrected.is_known and corrected.value else ""
    risen = _risen(observation, gpu) if gpu.ecc_volatile_uncorrected.is_known and gpu.ecc_aggregate_uncorrected.is_known else None
    return f"{told}; {risen} before that, since the last check" if risen else told


def _risen(observation: Observation, gpu: Gpu) -> int | None:
    return rise(observation, gpu, "ecc_aggregate_uncorrected", gpu.ecc_aggregate_uncorrected.value, lasting=True)


def _places(gpu: Gpu) -> str:
    counts = {place: _count(gpu, f"volatile_uncorrected_{place}") for place in _PLACES}
    told = [f"{count} in {place.upper()}" for place, count in counts.items() if count]
    return f" ({', '.join(told)})" if told else ""


def _count(gpu: Gpu, name: str) -> int | None:
    return gpu.ecc_errors.value.get(name) if gpu.ecc_errors.is_known else None
