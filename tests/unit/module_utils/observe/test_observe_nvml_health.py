"""NVML's health readings, to the meaning that nvml.h gives them: counters, links, modes and processes."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Fabric
from ansible_collections.gpu.fleet.plugins.module_utils.observation_gpu import ApplicationClocks, SpareRows
from ansible_collections.gpu.fleet.plugins.module_utils.observe import nvml_process
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from unit.module_utils.observe.test_observe_nvml import (
    DEPRECATED,
    FUNCTION_NOT_FOUND,
    LOST,
    NO_PERMISSION,
    NOT_SUPPORTED,
    UNKNOWN,
    Library,
    fabric_of,
    fail,
    field,
    first_gpu,
    observed,
)

INVALID_ARGUMENT, CORRUPTED_INFOROM, RESET_REQUIRED, INSUFFICIENT_SIZE, INSUFFICIENT_POWER = 2, 14, 16, 7, 8
SRAM, DRAM = 7, 2


def refusing(refused: Any, code: int, answer: Any = 0) -> Any:
    """Answer, but refuse with an error where the last argument is one of these."""

    def function(*arguments: Any) -> Any:
        return fail(code) if arguments[-1] in refused else answer

    return function


def test_every_health_reading_is_there() -> None:
    gpu = first_gpu()
    assert gpu.ecc_errors.value["aggregate_uncorrected_sram"] == 117
    assert gpu.sram_threshold_exceeded.value is True
    assert gpu.remap_availability.value == SpareRows(9, 1, 0, 0, 0)
    assert gpu.inforom_valid.value is True
    assert gpu.nvlink_errors.value == {"0": {"replay": 0, "recovery": 1, "crc_flit": 2, "crc_data": 3}}
    assert (gpu.utilization_percent.value, gpu.pcie_generation.value, gpu.pcie_generation_device_max.value) == (97, 4, 6)
    assert (gpu.pcie_replays.value, gpu.compute_mode.value, gpu.processes.value) == (3, 3, ())
    assert gpu.application_clocks.value == ApplicationClocks(1000, 1002, 2000, 2002)
    assert (gpu.power_limit_enforced_w.value, gpu.power_limit_default_w.value) == (650.0, 700.0)
    assert observed().cuda_version == Reading.of("12.8")


def test_memories_that_are_not_told_apart() -> None:
    assert first_gpu(nvmlDeviceGetMemoryErrorCounter=NOT_SUPPORTED).ecc_errors.is_unsupported
    assert first_gpu(nvmlDeviceGetMemoryErrorCounter=UNKNOWN).ecc_errors.is_unreadable
    counted = first_gpu(nvmlDeviceGetMemoryErrorCounter=refusing((SRAM,), NOT_SUPPORTED, 4)).ecc_errors.value
    assert set(counted) == {f"{period}_{kind}_dram" for period in ("volatile", "aggregate") for kind in ("corrected", "uncorrected")}


@pytest.mark.parametrize(("code", "state"), [(NO_PERMISSION, "unreadable"), (NOT_SUPPORTED, "unsupported"), (UNKNOWN, "unreadable")])
def test_the_sram_threshold_is_told_to_root(code: int, state: str) -> None:
    reading = first_gpu(nvmlDeviceGetSramEccErrorStatus=code).sram_threshold_exceeded
    assert reading.state == state
    assert ("run this check as root" in reading.why) == (code == NO_PERMISSION)


def test_a_histogram_of_nothing_is_none() -> None:
    empty = SimpleNamespace(max=0, high=0, partial=0, low=0, none=0)
    assert first_gpu(nvmlDeviceGetRowRemapperHistogram=lambda _gpu: empty).remap_availability.is_unsupported


@pytest.mark.parametrize(
    ("code", "reading"),
    [(CORRUPTED_INFOROM, Reading.of(False)), (NOT_SUPPORTED, None), (UNKNOWN, Reading.unreadable("NVML: error 999"))],  # noqa: FBT003
)
def test_the_inforom(code: int, reading: Any) -> None:
    found = first_gpu(nvmlDeviceValidateInforom=code).inforom_valid
    assert found == reading or (reading is None and found.is_unsupported)


def test_links_of_nvlink_5_are_counted_by_fields() -> None:
    def fields(_gpu: int, wanted: list[Any]) -> list[Any]:
        return [
            field(number * 10 + link if number == 214 else 1 << 40) if number != 221 else field(0, INVALID_ARGUMENT)
            for number, link in wanted
        ]

    gpu = first_gpu(nvmlDeviceGetNvLinkErrorCounter=NOT_SUPPORTED, nvmlDeviceGetFieldValues=fields)
    assert gpu.nvlink_errors.value["0"]["recovery_failed"] == 2140
    assert gpu.nvlink_errors.value["0"]["receive"] == 1 << 40
    assert "symbol" not in gpu.nvlink_errors.value["0"]


def test_only_links_that_are_up_are_counted() -> None:
    gpu = first_gpu(nvmlDeviceGetNvLinkErrorCounter=lambda _gpu, link, _counter: 7 if link == 0 else fail(UNKNOWN))
    assert set(gpu.nvlink_errors.value) == {"0"}
    assert first_gpu(nvmlDeviceGetNvLinkState=lambda _gpu, _link: 0).nvlink_errors.is_unsupported
    assert first_gpu(nvmlDeviceGetNvLinkState=NOT_SUPPORTED).nvlink_errors.is_unsupported
    assert first_gpu(nvmlDeviceGetNvLinkErrorCounter=NOT_SUPPORTED, nvmlDeviceGetFieldValues=NOT_SUPPORTED).nvlink_errors.is_unsupported
    assert first_gpu(nvmlDeviceGetNvLinkErrorCounter=UNKNOWN).nvlink_errors.is_unreadable


def test_the_fabric_is_asked_with_the_newest_structure_that_the_driver_takes() -> None:
    assert first_gpu(nvmlDeviceGetGpuFabricInfoV=fabric_of(3)).fabric.value == Fabric(3, 0, 0x1AA, 1)
    assert first_gpu(nvmlDeviceGetGpuFabricInfoV=fabric_of(2)).fabric.value == Fabric(3, 0, 0x1AA, 0)
    first = {"nvmlDeviceGetGpuFabricInfo": lambda _gpu, _info: None}
    assert first_gpu(nvmlDeviceGetGpuFabricInfoV=FUNCTION_NOT_FOUND, **first).fabric.value == Fabric(3, 0, 0, 0)
    assert first_gpu(nvmlDeviceGetGpuFabricInfoV=fabric_of(4), **first).fabric.is_unreadable, "its health is not known"
    assert first_gpu(nvmlDeviceGetGpuFabricInfoV=FUNCTION_NOT_FOUND, nvmlDeviceGetGpuFabricInfo=FUNCTION_NOT_FOUND).fabric.is_unreadable


def test_a_link_that_sleeps_until_it_is_used_is_up() -> None:
    def fields(_gpu: int, wanted: list[Any]) -> list[Any]:
        return [field(2 if each == (165, 1) else 0) for each in wanted]

    assert first_gpu(nvmlDeviceGetFieldValues=fields).nvlinks.value == {"0": True, "1": True}
    assert first_gpu(nvmlDeviceGetFieldValues=UNKNOWN).nvlinks.value == {"0": True, "1": False}


def test_a_memory_without_a_sensor_has_no_temperature() -> None:
    assert first_gpu(nvmlDeviceGetFieldValues=lambda _gpu, fields: [field(0) for _each in fields]).memory_temperature_c.is_unsupported
    assert first_gpu(nvmlDeviceGetFieldValues=lambda _gpu, fields: [field(61) for _each in fields]).memory_temperature_c.value == 61


def test_a_slowdown_that_passes_is_a_change_of_clocks() -> None:
    answers = iter((0x8, 0x0, 0x48, 0x48))
    assert first_gpu(nvmlDeviceGetCurrentClocksEventReasons=lambda gpu: next(answers) if gpu == 0 else 0).clock_event_reasons.value == 0
    answers = iter((0x48, 0x48))
    assert first_gpu(nvmlDeviceGetCurrentClocksEventReasons=lambda gpu: next(answers) if gpu == 0 else 0).clock_event_reasons.value == 0x48


@pytest.mark.parametrize("code", [NOT_SUPPORTED, DEPRECATED])
def test_application_clocks_are_gone_from_newer_drivers(code: int) -> None:
    assert first_gpu(nvmlDeviceGetApplicationsClock=code).application_clocks.is_unsupported


def test_a_partitioned_gpu_has_no_compute_mode() -> None:
    assert first_gpu(nvmlDeviceGetComputeMode=INVALID_ARGUMENT).compute_mode.is_unsupported
    assert first_gpu(nvmlDeviceGetComputeMode=UNKNOWN).compute_mode.is_unreadable


@pytest.mark.parametrize(
    ("code", "state"), [(LOST, "lost"), (RESET_REQUIRED, "reset required"), (INSUFFICIENT_POWER, "power cables missing")]
)
def test_why_a_gpu_does_not_answer(code: int, state: str) -> None:
    assert first_gpu(nvmlDeviceGetHandleByIndex=lambda index: index or fail(code)).state == Reading.of(state)
    assert first_gpu(nvmlDeviceGetTemperature=code).state == Reading.of(state)


def processes(*pids: int, used: int | None = 1 << 30) -> Any:
    return lambda _gpu: [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid in pids]


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Make a host whose /proc is of its own namespace, and in which this process sleeps."""
    proc = tmp_path / "proc"
    (proc / "self/ns").mkdir(parents=True)
    (proc / "self/ns/pid").symlink_to("pid:[4026531836]")
    (proc / str(os.getpid())).mkdir()
    (proc / str(os.getpid()) / "stat").write_text(f"{os.getpid()} (a (b) c) S 1")
    return tmp_path


@pytest.fixture
def ended() -> int:
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_processes_and_whether_they_live(host: Path, ended: int) -> None:
    library = Library(
        nvmlDeviceGetComputeRunningProcesses_v3=processes(os.getpid(), ended), nvmlSystemGetProcessName=lambda _pid: "/opt/python3"
    )
    lives, dead = nvml_process.read(library, 0, host)
    assert (lives.pid, lives.name, lives.memory_mib, lives.alive) == (os.getpid(), "python3", Reading.of(1024), Reading.of(True))  # noqa: FBT003
    assert (dead.pid, dead.alive) == (ended, Reading.of(False))  # noqa: FBT003


def test_a_zombie_has_ended(host: Path) -> None:
    (host / "proc" / str(os.getpid()) / "stat").write_text(f"{os.getpid()} (python) Z 1")
    assert nvml_process.alive(os.getpid(), host).value is False


def test_a_process_that_ends_while_we_look_is_none(host: Path, ended: int) -> None:
    looks = iter((processes(ended)(0), []))
    library = Library(nvmlDeviceGetComputeRunningProcesses_v3=lambda _gpu: next(looks), nvmlSystemGetProcessName=6)
    assert nvml_process.read(library, 0, host) == ()


def test_a_container_does_not_know_the_hosts_processes(host: Path, ended: int) -> None:
    (host / "proc/self/ns/pid").unlink()
    (host / "proc/self/ns/pid").symlink_to("pid:[4026532000]")
    assert nvml_process.alive(ended, host).is_unsupported


def test_what_nvml_does_not_tell_of_a_process(host: Path) -> None:
    listed = processes(os.getpid(), used=None)
    library = Library(
        nvmlDeviceGetComputeRunningProcesses_v3=13, nvmlDeviceGetComputeRunningProcesses_v2=listed, nvmlSystemGetProcessName=6
    )
    (process,) = nvml_process.read(library, 0, host)
    assert process.name == "of unknown name"
    assert process.memory_mib.is_unsupported


class ProcessInfo(ctypes.Structure):
    """nvml.h: nvmlProcessInfo_t."""

    _fields_ = (("pid", ctypes.c_uint), ("usedGpuMemory", ctypes.c_ulonglong), ("gi", ctypes.c_uint), ("ci", ctypes.c_uint))


def c_library(count: int, *, needs: int = 0) -> Library:
    """Make bindings over a C library that counts so many processes, and refuses less room than it needs."""

    def ask(_gpu: int, size: Any, found: Any) -> int:
        room, size._obj.value = size._obj.value, count
        if room < needs:
            return INSUFFICIENT_SIZE
        for place in range(min(room, count)):
            found[place] = ProcessInfo(os.getpid(), (1 << 64) - 1)
        return 0

    return Library(
        nvmlLib=SimpleNamespace(nvmlDeviceGetComputeRunningProcesses_v3=ask),
        c_nvmlProcessInfo_v3_t=ProcessInfo,
        nvmlDeviceGetComputeRunningProcesses_v3=lambda _gpu: [],  # what bindings make of a SUCCESS without room
        nvmlSystemGetProcessName=6,
    )


@pytest.mark.parametrize(("count", "needs"), [(0, 0), (2, 0), (2, 2), (200, 200)])
def test_processes_are_listed_with_room_for_them(host: Path, count: int, needs: int) -> None:
    found = nvml_process.read(c_library(count, needs=needs), 0, host)
    assert [process.pid for process in found] == [os.getpid()] * count
    assert all(process.memory_mib.is_unsupported for process in found)


def test_a_list_that_never_fits_is_an_error(host: Path) -> None:
    with pytest.raises(Library.NVMLError):
        nvml_process.read(c_library(2, needs=1 << 30), 0, host)


def test_a_name_that_is_no_utf_8_loses_no_process(host: Path) -> None:
    library = Library(
        nvmlDeviceGetComputeRunningProcesses_v3=processes(os.getpid()), nvmlSystemGetProcessName=lambda _pid: b"/opt/caf\xe9".decode()
    )
    assert [process.pid for process in nvml_process.read(library, 0, host)] == [os.getpid()]


def test_errors_of_the_list_are_readings() -> None:
    assert first_gpu(nvmlDeviceGetComputeRunningProcesses_v3=NO_PERMISSION).processes.is_unreadable
    assert first_gpu(nvmlDeviceGetComputeRunningProcesses_v3=NOT_SUPPORTED).processes.is_unsupported
