"""Memory health: remapped rows and how many can still be, retired pages, and the recovery that the GPU itself asks for."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import over_gpus
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Observation
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_NVIDIA_MEMORY = "NVIDIA GPU memory error management"
_RETIRED_PAGES_MOST = 60  # 64 is all that a GPU can retire
_RECOVERY = {
    # what the driver's field GPU_RECOVERY_ACTION says: its name, and our action
    0: ("none", "none"),
    1: ("reset the GPU", "reset_gpu"),
    2: ("reboot the node", "reboot"),
    3: ("drain peer-to-peer traffic", "restart_app"),
    4: ("drain and reset the GPU", "reset_gpu"),
    5: ("recover the IMEX domain", "investigate"),
    6: ("reset the GPU's bus", "reset_gpu"),
    7: ("reboot the system", "reboot"),
}


def row_remapping(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require that no memory row waits for a reset to be replaced, and none could not be."""

    def judge(about: About, gpu: Gpu) -> Finding:
        absent = about.without(remapped_rows=gpu.remapped_rows)
        if absent:
            return absent
        rows = gpu.remapped_rows.value
        seen = {
            "correctable": rows.correctable,
            "uncorrectable": rows.uncorrectable,
            "pending": rows.pending,
            "failure": rows.failure,
        }
        if rows.failure:
            return about.failed(
                f"found a memory row that could not be remapped ({rows.uncorrectable} remapped before), expected none: replace the GPU",
                observed=seen,
                expected={"failure": False},
                source=_NVIDIA_MEMORY,
                action="replace",
                kills_job=True,
            )
        if rows.pending:
            return about.failed(
                "found a memory row that waits to be remapped, expected none: reset the GPU when its jobs have ended",
                observed=seen,
                expected={"pending": False},
                source=_NVIDIA_MEMORY,
                action="reset_gpu",
                kills_job=False,
            )
        return about.passed(
            "no row remapping pending or failed", observed=seen, expected={"pending": False, "failure": False}, source=_NVIDIA_MEMORY
        )

    return over_gpus("row_remapping", observation, judge)


def remap_availability(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require that each memory bank has a spare row left: the next error in one without cannot be repaired."""

    def judge(about: About, gpu: Gpu) -> Finding:
        absent = about.without(spare_rows=gpu.remap_availability)
        if absent:
            return absent
        banks = gpu.remap_availability.value
        seen, expected = {"low": banks.low, "none": banks.none}, {"none": 0}
        if banks.none == 0:
            low = f"; {banks.low} banks have few left" if banks.low else ""
            return about.passed(f"spare rows left in every memory bank{low}", observed=seen, expected=expected, source=_NVIDIA_MEMORY)
        return about.failed(
            f"found {banks.none} memory banks without a spare row, expected none: the next error there cannot be repaired; "
            "run NVIDIA's field diagnostics and plan to replace the GPU",
            observed=seen,
            expected=expected,
            source=_NVIDIA_MEMORY,
            action="investigate",
            kills_job=False,
        )

    return over_gpus("remap_availability", observation, judge)


def retired_pages(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require, on GPUs before Ampere, that no page waits for a reset to be retired, and there is room for more."""

    def judge(about: About, gpu: Gpu) -> Finding:
        absent = about.without(retired_pages=gpu.retired_pages)
        if absent:
            return absent
        pages = gpu.retired_pages.value
        total = pages.single_bit + pages.double_bit
        expected = {"pending": False, "retired": f"fewer than {_RETIRED_PAGES_MOST}"}
        seen = {"retired": total, "pending": pages.pending}
        if total >= _RETIRED_PAGES_MOST:
            return about.failed(
                f"found {total} retired pages, expected fewer than {_RETIRED_PAGES_MOST}: replace the GPU, it can hardly retire more",
                observed=seen,
                expected=expected,
                source=_NVIDIA_MEMORY,
                action="replace",
                kills_job=True,
            )
        if pages.pending:
            return about.failed(
                "found a page that waits to be retired, expected none: reset the GPU before the next job",
                observed=seen,
                expected=expected,
                source=_NVIDIA_MEMORY,
                action="reset_gpu",
                kills_job=True,
            )
        return about.passed("no page retirement pending", observed=seen, expected=expected, source=_NVIDIA_MEMORY)

    return over_gpus("retired_pages", observation, judge)


def recovery_action(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require that no GPU asks for a reset or a reboot."""

    def judge(about: About, gpu: Gpu) -> Finding:
        absent = about.without(recovery_action=gpu.recovery_action)
        if absent:
            return absent
        number = gpu.recovery_action.value
        name, action = _RECOVERY.get(number, (f"number {number}, which this project does not know", "investigate"))
        if number == 0:
            return about.passed("no recovery needed", observed=name, expected="none", source="NVML")
        return about.failed(
            f"found that the driver asks for a recovery: {name}; expected none: do that before the next job",
            observed=name,
            expected="none",
            source="NVML",
            action=action,
            kills_job=True,
        )

    return over_gpus("recovery_action", observation, judge)
