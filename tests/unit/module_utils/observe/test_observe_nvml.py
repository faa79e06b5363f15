"""NVML: every error of every call is a reading of its own, and a library that hangs costs only what it did not say."""

from __future__ import annotations

import ctypes
import time
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Deadline
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Fabric, Gpu, Nvml, RemappedRows
from ansible_collections.gpu.fleet.plugins.module_utils.observe.nvml import Observer, assemble
from ansible_collections.gpu.fleet.plugins.module_utils.observe.nvml_gpu import MAY_LACK
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

NOT_SUPPORTED, NO_PERMISSION, FUNCTION_NOT_FOUND, LOST, DEPRECATED, UNKNOWN = 3, 4, 13, 15, 26, 999
IRQ_ISSUE, VERSION_MISMATCH = 11, 25


class Error(Exception):
    def __init__(self, value: int) -> None:
        self.value = value
        super().__init__(f"error {value}")


def field(value: int, status: int = 0, kind: int = 1) -> Any:
    return SimpleNamespace(nvmlReturn=status, valueType=kind, value=SimpleNamespace(ullVal=value, siVal=value))


class First(ctypes.Structure):
    """What is told of the fabric by the first version of its structure."""

    _fields_ = (("state", ctypes.c_ubyte), ("status", ctypes.c_uint))


def fabric_of(*versions: int) -> Any:
    """Answer for a driver that takes these versions of the fabric's structure; only the third has a summary."""

    def function(_gpu: int, reference: Any) -> None:
        info = reference._obj
        version = info.version >> 24
        if version not in versions:
            raise Error(VERSION_MISMATCH)
        assert info.version & 0xFFFFFF == {2: 36, 3: ctypes.sizeof(info)}[version]
        info.state, info.healthMask = 3, 0x1AA
        if version == 3:
            info.healthSummary = 1

    return function


class Library:
    """Stands in for the bindings: two GPUs; `plan` replaces functions, by an error number or by something to call."""

    NVMLError = Error
    NVML_NVLINK_MAX_LINKS = 4

    def __init__(self, **plan: Any) -> None:
        self.plan = plan
        self.answers: dict[str, Any] = {
            "nvmlInit": lambda: None,
            "nvmlSystemGetDriverVersion": lambda: "570.124.06",
            "nvmlDeviceGetCount": lambda: 2,
            "nvmlDeviceGetHandleByIndex": lambda index: index,
            "nvmlDeviceGetPciInfo": lambda gpu: SimpleNamespace(busId=f"00000000:{gpu + 1:02X}:00.0".encode(), pciDeviceId=0x233010DE),
            "nvmlDeviceGetUUID": lambda gpu: f"GPU-{gpu}",
            "nvmlDeviceGetName": lambda _gpu: "NVIDIA H100 80GB HBM3",
            "nvmlDeviceGetSerial": lambda gpu: f"s{gpu}",
            "nvmlDeviceGetMinorNumber": lambda gpu: gpu,
            "nvmlDeviceGetVbiosVersion": lambda _gpu: "96",
            "nvmlDeviceGetMemoryInfo": lambda _gpu: SimpleNamespace(total=80 << 30),
            "nvmlDeviceGetPersistenceMode": lambda _gpu: 1,
            "nvmlDeviceGetEccMode": lambda _gpu: [1, 1],
            "nvmlDeviceGetTotalEccErrors": lambda _gpu, kind, counter: kind * 10 + counter,
            "nvmlDeviceGetRemappedRows": lambda _gpu: (1, 2, 1, 0),
            "nvmlDeviceGetRetiredPages": lambda _gpu, cause: [0] * (cause + 1),
            "nvmlDeviceGetRetiredPagesPendingStatus": lambda _gpu: 0,
            "nvmlSystemGetCudaDriverVersion": lambda: 12080,
            "nvmlDeviceGetFieldValues": lambda _gpu, fields: [field(2 if isinstance(each, int) else 0) for each in fields],
            "nvmlDeviceGetMemoryErrorCounter": lambda _gpu, kind, counter, place: kind * 100 + counter * 10 + place,
            "nvmlDeviceGetSramEccErrorStatus": lambda _gpu, _status: None,
            "nvmlDeviceGetRowRemapperHistogram": lambda _gpu: SimpleNamespace(max=9, high=1, partial=0, low=0, none=0),
            "nvmlDeviceValidateInforom": lambda _gpu: None,
            "nvmlDeviceGetNvLinkErrorCounter": lambda _gpu, _link, counter: counter,
            "nvmlDeviceGetUtilizationRates": lambda _gpu: SimpleNamespace(gpu=97),
            "nvmlDeviceGetCurrPcieLinkGeneration": lambda _gpu: 4,
            "nvmlDeviceGetGpuMaxPcieLinkGeneration": lambda _gpu: 6,
            "nvmlDeviceGetPcieReplayCounter": lambda _gpu: 3,
            "nvmlDeviceGetApplicationsClock": lambda _gpu, kind: 1000 + kind,
            "nvmlDeviceGetDefaultApplicationsClock": lambda _gpu, kind: 2000 + kind,
            "nvmlDeviceGetComputeMode": lambda _gpu: 3,
            "nvmlDeviceGetComputeRunningProcesses_v3": lambda _gpu: [],
            "nvmlDeviceGetEnforcedPowerLimit": lambda _gpu: 650_000,
            "nvmlDeviceGetPowerManagementDefaultLimit": lambda _gpu: 700_000,
            "nvmlDeviceGetNvLinkState": self.link,
            "nvmlDeviceGetGpuFabricInfoV": fabric_of(3, 2),
            "nvmlDeviceGetCurrPcieLinkWidth": lambda _gpu: 8,
            "nvmlDeviceGetMaxPcieLinkWidth": lambda _gpu: 16,
            "nvmlDeviceGetMaxPcieLinkGeneration": lambda _gpu: 5,
            "nvmlDeviceGetCurrentClocksEventReasons": lambda _gpu: 0x41,
            "nvmlDeviceGetTemperature": lambda _gpu, _sensor: 40,
            "nvmlDeviceGetTemperatureThreshold": lambda _gpu, _which: 89,
            "nvmlDeviceGetMarginTemperature": lambda _gpu: 47,
            "nvmlDeviceGetMigMode": lambda _gpu: [0, 0],
            "nvmlDeviceGetMaxMigDeviceCount": lambda _gpu: 0,
            "nvmlDeviceGetPowerManagementLimit": lambda _gpu: 700_000,
        }

    @staticmethod
    def link(_gpu: int, link: int) -> int:
        if link == 2:
            raise Error(2)
        if link == 3:
            raise Error(NOT_SUPPORTED)
        return 1 - link

    @staticmethod
    def c_nvmlEccSramErrorStatus_v1_t() -> Any:  # noqa: N802 - the library's name
        class Status(ctypes.Structure):
            _fields_ = (("bThresholdExceeded", ctypes.c_uint),)

        return Status(1)

    @staticmethod
    def c_nvmlGpuFabricInfo_t() -> Any:  # noqa: N802 - the library's name
        return First(3, 0)

    def __getattr__(self, name: str) -> Any:
        planned = self.plan.get(name)
        if isinstance(planned, int):

            def fail(*_arguments: Any) -> Any:
                raise Error(planned)

            return fail
        if planned or name in self.answers:
            return planned or self.answers[name]
        raise AttributeError(name)


def observed(deadline_s: float = 10, **plan: Any) -> Nvml:
    return Observer(lambda: Library(**plan), Deadline(deadline_s)).result()


def first_gpu(**plan: Any) -> Gpu:
    return observed(**plan).gpus.value[0]


def on_gpu(number: int, action: Any) -> Any:
    """Do something on one GPU, and answer 7 on the others."""

    def function(gpu: int, *_arguments: Any) -> int:
        if gpu == number:
            action()
        return 7

    return function


def fail(code: int) -> Any:
    raise Error(code)


def test_what_is_there_is_read() -> None:
    seen = observed()
    assert seen.status == Reading.of("SUCCESS")
    assert seen.driver_version == Reading.of("570.124.06")
    assert len(seen.gpus.value) == 2
    gpu = seen.gpus.value[1]
    assert (gpu.index, gpu.state, gpu.pci_bus_id, gpu.pci_device_id) == (
        1,
        Reading.of("answers"),
        Reading.of("00000000:02:00.0"),
        Reading.of("2330"),
    )
    assert (gpu.ecc_volatile_uncorrected.value, gpu.ecc_aggregate_uncorrected.value, gpu.ecc_volatile_corrected.value) == (10, 11, 0)
    assert gpu.remapped_rows.value == RemappedRows(1, 2, pending=True, failure=False)
    assert gpu.nvlinks.value == {"0": True, "1": False}
    assert gpu.fabric.value == Fabric(3, 0, 0x1AA, 1)
    assert (gpu.recovery_action.value, gpu.clock_event_reasons.value, gpu.power_limit_w.value, gpu.memory_mib.value) == (
        2,
        0x41,
        700.0,
        81920,
    )
    assert all(getattr(gpu, name).is_known for name in Gpu.__dataclass_fields__ if name != "index")


CALLS = {
    "pci_bus_id": "nvmlDeviceGetPciInfo",
    "name": "nvmlDeviceGetName",
    "ecc_volatile_uncorrected": "nvmlDeviceGetTotalEccErrors",
    "remapped_rows": "nvmlDeviceGetRemappedRows",
    "retired_pages": "nvmlDeviceGetRetiredPages",
    "recovery_action": "nvmlDeviceGetFieldValues",
    "fabric": "nvmlDeviceGetGpuFabricInfoV",
    "pcie_width": "nvmlDeviceGetCurrPcieLinkWidth",
    "clock_event_reasons": "nvmlDeviceGetCurrentClocksEventReasons",
    "temperature_c": "nvmlDeviceGetTemperature",
}


@pytest.mark.parametrize("call", CALLS.items(), ids=CALLS)
@pytest.mark.parametrize(("code", "state"), [(NOT_SUPPORTED, "unsupported"), (UNKNOWN, "unreadable"), (NO_PERMISSION, "unreadable")])
def test_each_error_is_a_reading_and_takes_nothing_from_the_others(call: tuple[str, str], code: int, state: str) -> None:
    name, function = call
    gpu = first_gpu(**{function: code})
    assert getattr(gpu, name).state == state
    assert gpu.state == Reading.of("answers")
    assert gpu.uuid == Reading.of("GPU-0")
    assert gpu.power_limit_w.is_known


def test_not_supported_is_not_zero() -> None:
    gpu = first_gpu(nvmlDeviceGetTotalEccErrors=NOT_SUPPORTED, nvmlDeviceGetRetiredPages=NOT_SUPPORTED)
    assert gpu.ecc_volatile_uncorrected.is_unsupported
    assert gpu.retired_pages.is_unsupported


@pytest.mark.parametrize(
    ("field", "state"),
    [
        (field(0, NOT_SUPPORTED), "unsupported"),
        (field(0, 2), "unsupported"),
        (field(0, UNKNOWN), "unreadable"),
    ],
)
def test_each_field_value_has_its_own_error(field: Any, state: str) -> None:
    gpu = first_gpu(nvmlDeviceGetFieldValues=lambda _gpu, _fields: [field])
    assert (gpu.recovery_action.state, gpu.memory_temperature_c.state) == (state, state)


def test_older_libraries_are_asked_by_the_older_name() -> None:
    gpu = first_gpu(
        nvmlDeviceGetCurrentClocksEventReasons=FUNCTION_NOT_FOUND,
        nvmlDeviceGetCurrentClocksThrottleReasons=lambda _gpu: 8,
        nvmlDeviceGetTemperatureV=FUNCTION_NOT_FOUND,
    )
    assert (gpu.clock_event_reasons.value, gpu.temperature_c.value) == (8, 40)


def test_newer_libraries_are_asked_by_the_newer_name() -> None:
    gpu = first_gpu(
        nvmlDeviceGetTemperatureV=lambda _gpu, _sensor: 41,
        nvmlDeviceGetTemperature=DEPRECATED,
        nvmlDeviceGetCurrentClocksEventReasons=DEPRECATED,
        nvmlDeviceGetCurrentClocksThrottleReasons=lambda _gpu: 8,
    )
    assert (gpu.clock_event_reasons.value, gpu.temperature_c.value) == (8, 41)


def test_what_one_name_does_not_know_another_may() -> None:
    known = first_gpu(nvmlDeviceGetCurrentClocksEventReasons=NOT_SUPPORTED, nvmlDeviceGetCurrentClocksThrottleReasons=lambda _gpu: 8)
    assert known.clock_event_reasons.value == 8
    for other in (NOT_SUPPORTED, FUNCTION_NOT_FOUND):
        gpu = first_gpu(nvmlDeviceGetCurrentClocksEventReasons=NOT_SUPPORTED, nvmlDeviceGetCurrentClocksThrottleReasons=other)
        assert gpu.clock_event_reasons.is_unsupported


# What the check rests on, and each supported driver has a function for.
NEEDED = {
    "ecc_enabled": "nvmlDeviceGetEccMode",
    "ecc_volatile_uncorrected": "nvmlDeviceGetTotalEccErrors",
    "ecc_errors": "nvmlDeviceGetMemoryErrorCounter",
    "remapped_rows": "nvmlDeviceGetRemappedRows",
    "retired_pages": "nvmlDeviceGetRetiredPages",
    "recovery_action": "nvmlDeviceGetFieldValues",
    "nvlinks": "nvmlDeviceGetNvLinkState",
    "pcie_width": "nvmlDeviceGetCurrPcieLinkWidth",
    "clock_event_reasons": "nvmlDeviceGetCurrentClocksEventReasons",
    "temperature_c": "nvmlDeviceGetTemperature",
    "mig_enabled": "nvmlDeviceGetMigMode",
    "compute_mode": "nvmlDeviceGetComputeMode",
    "processes": "nvmlDeviceGetComputeRunningProcesses_v3",
    "power_limit_enforced_w": "nvmlDeviceGetEnforcedPowerLimit",
}


@pytest.mark.parametrize("call", NEEDED.items(), ids=NEEDED)
@pytest.mark.parametrize("code", [FUNCTION_NOT_FOUND, DEPRECATED])
def test_a_function_that_is_missing_says_nothing_of_the_gpu(call: tuple[str, str], code: int) -> None:
    name, function = call
    assert getattr(first_gpu(**{function: code}), name).is_unreadable


@pytest.mark.parametrize("code", [FUNCTION_NOT_FOUND, DEPRECATED])
def test_what_a_supported_driver_may_lack_is_no_fault(code: int) -> None:
    functions = ("SramEccErrorStatus", "MarginTemperature", "RowRemapperHistogram", "ApplicationsClock")
    gpu = first_gpu(**{f"nvmlDeviceGet{function}": code for function in functions})
    assert all(getattr(gpu, name).is_unsupported for name in MAY_LACK)


@pytest.mark.parametrize("told", [0, 255, 0xFFFFFFFF])
def test_a_link_that_is_none_is_unreadable(told: int) -> None:
    calls = ("CurrPcieLinkWidth", "MaxPcieLinkWidth", "CurrPcieLinkGeneration", "MaxPcieLinkGeneration", "GpuMaxPcieLinkGeneration")
    gpu = first_gpu(**{f"nvmlDeviceGet{call}": lambda _gpu: told for call in calls})
    figures = (gpu.pcie_width, gpu.pcie_width_max, gpu.pcie_generation, gpu.pcie_generation_max, gpu.pcie_generation_device_max)
    assert all(figure.is_unreadable and f"NVML told {told}" in figure.why for figure in figures)


def test_no_power_at_all_is_unreadable() -> None:
    calls = ("PowerManagementLimit", "EnforcedPowerLimit", "PowerManagementDefaultLimit")
    gpu = first_gpu(**{f"nvmlDeviceGet{call}": lambda _gpu: 0 for call in calls})
    limits = (gpu.power_limit_w, gpu.power_limit_enforced_w, gpu.power_limit_default_w)
    assert all(limit.is_unreadable and "NVML told 0" in limit.why for limit in limits)


def test_a_threshold_of_nothing_is_none() -> None:
    gpu = first_gpu(nvmlDeviceGetTemperatureThreshold=lambda _gpu, _which: 0)
    assert gpu.temperature_slowdown_c.is_unsupported
    assert gpu.memory_temperature_max_c.is_unsupported


def test_a_value_that_makes_no_sense_is_unreadable() -> None:
    gpu = first_gpu(
        nvmlDeviceGetPciInfo=lambda _gpu: SimpleNamespace(busId="[Unknown Error]", pciDeviceId=0),
        nvmlDeviceGetMemoryInfo=lambda _gpu: SimpleNamespace(total=None),
        nvmlDeviceGetPowerManagementLimit=lambda _gpu: "[N/A]",
        nvmlDeviceGetMinorNumber=lambda _gpu: "no",
    )
    assert gpu.pci_bus_id.is_unreadable
    assert gpu.memory_mib.is_unreadable
    assert gpu.power_limit_w.is_unreadable
    assert gpu.minor_number.is_unreadable


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (LOST, Reading.of("lost")),
        (IRQ_ISSUE, Reading.of("no handle: error 11")),
        *((code, Reading.unreadable(f"NVML: error {code}")) for code in (NO_PERMISSION, 6, 10, FUNCTION_NOT_FOUND, 17, 19, UNKNOWN)),
    ],
)
def test_a_gpu_without_a_handle_does_not_hide_the_others(code: int, state: Reading[str]) -> None:
    def handle(index: int) -> int:
        return index or fail(code)

    gone, there = observed(nvmlDeviceGetHandleByIndex=handle).gpus.value
    assert gone.state == state
    assert gone.name.is_unreadable
    assert there.state == Reading.of("answers")
    assert there.name.is_known


def test_a_gpu_lost_while_it_is_read() -> None:
    gone, there = observed(nvmlDeviceGetPersistenceMode=on_gpu(0, lambda: fail(LOST))).gpus.value
    assert gone.state == Reading.of("lost")
    assert gone.name.is_known
    assert there.state == Reading.of("answers")


@pytest.mark.parametrize(
    ("code", "status"), [(12, "LIBRARY_NOT_FOUND"), (9, "DRIVER_NOT_LOADED"), (18, "LIB_RM_VERSION_MISMATCH"), (77, "ERROR_77")]
)
def test_a_library_that_does_not_start(code: int, status: str) -> None:
    seen = observed(nvmlInit=code)
    assert seen.status == Reading.of(status)
    assert seen.gpus.why == f"NVML did not start: {status}"


def test_a_hang_keeps_what_was_read_before_it() -> None:
    start = time.monotonic()
    seen = observed(2.0, nvmlDeviceGetPersistenceMode=on_gpu(0, lambda: time.sleep(60)))
    assert time.monotonic() - start < 20
    hung, beyond = seen.gpus.value
    assert hung.name.is_known
    assert hung.state.why == "NVML: no answer within 2.0 s"
    assert hung.temperature_c.why == "NVML: no answer within 2.0 s"
    assert beyond.name.why == "NVML: not reached, since GPU 0 gave no answer within 2.0 s"


def test_a_hang_at_the_start_leaves_everything_unreadable() -> None:
    seen = observed(0.3, nvmlInit=lambda: time.sleep(60))
    assert seen.status.is_unreadable
    assert seen.gpus.is_unreadable


def test_a_crash_of_the_library_is_survived() -> None:
    import os  # noqa: PLC0415
    import signal  # noqa: PLC0415

    seen = observed(nvmlDeviceGetPersistenceMode=on_gpu(1, lambda: os.kill(os.getpid(), signal.SIGSEGV)))
    assert seen.gpus.value[0].state == Reading.of("answers")
    assert "SIGSEGV" in seen.gpus.value[1].state.why


def test_bindings_that_are_missing_are_unreadable() -> None:
    def load() -> Any:
        raise ModuleNotFoundError("No module named 'pynvml'")

    seen = Observer(load, Deadline(5)).result()
    assert "No module named 'pynvml'" in seen.status.why


def test_a_count_that_cannot_be_read() -> None:
    seen = observed(nvmlDeviceGetCount=UNKNOWN)
    assert seen.status == Reading.of("SUCCESS")
    assert seen.gpus.is_unreadable


def test_nothing_at_all_is_unreadable() -> None:
    assert assemble([], "").gpus.is_unreadable
