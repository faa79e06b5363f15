"""Faults that a scenario plants, and scenarios that are wrong themselves."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.doubles.conftest import Double

INIT = "ask('init', nvml.nvmlInit)\n"
TEMPERATURES = """
gpus = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
for number, gpu in enumerate(gpus):
    ask(number, nvml.nvmlDeviceGetTemperature, gpu, 0)
"""


def test_lost_gpu_keeps_its_place(double: Double) -> None:
    answers = double.ask("gpu.3.lost = true", TEMPERATURES)
    assert answers == {str(n): "NVMLError_GpuIsLost" if n == 3 else 30 for n in range(8)}


def test_lost_gpu_may_fail_at_the_handle(double: Double) -> None:
    code = "for i in range(4):\n    ask(i, lambda: nvml.nvmlDeviceGetHandleByIndex(i) and 'handle')"
    answers = double.ask("gpu.3.lost = handle", code)
    assert answers == {"0": "handle", "1": "handle", "2": "handle", "3": "NVMLError_GpuIsLost"}


def test_gpu_lost_in_the_middle(double: Double) -> None:
    code = "gpu = nvml.nvmlDeviceGetHandleByIndex(1)\nfor i in range(4):\n    ask(i, nvml.nvmlDeviceGetTemperature, gpu, 0)"
    answers = double.ask("gpu.1.lost_after_calls = 3", code)
    assert answers == {"0": 30, "1": 30, "2": "NVMLError_GpuIsLost", "3": "NVMLError_GpuIsLost"}


def test_absent_gpu_is_not_counted(double: Double) -> None:
    code = """
gpus = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
ask("serials", lambda: [nvml.nvmlDeviceGetSerial(gpu) for gpu in gpus])
"""
    healthy = double.ask("node = one", code)["serials"]
    assert double.ask("node = one\ngpu.2.absent = true", code)["serials"] == healthy[:2] + healthy[3:]
    pairs = double.ask("node = one\nprofile = h100-nvl\ngpu.0.absent = true", code)["serials"]
    assert pairs == healthy[1:2], "the neighbour of an absent GPU is there"
    assert double.ask("node = two", code)["serials"] != healthy, "two nodes never share an identity"


def test_any_call_can_be_made_to_fail(double: Double) -> None:
    scenario = "fail.nvmlDeviceGetCount = NO_PERMISSION\ngpu.1.fail.nvmlDeviceGetNvLink* = UNKNOWN"
    code = """
ask("count", nvml.nvmlDeviceGetCount)
for i in (0, 1):
    gpu = nvml.nvmlDeviceGetHandleByIndex(i)
    ask(i, nvml.nvmlDeviceGetNvLinkState, gpu, 0)
    ask(f"name {i}", nvml.nvmlDeviceGetName, gpu)
"""
    name = "NVIDIA H100 80GB HBM3"
    expected = {"count": "NVMLError_NoPermission", "0": 1, "1": "NVMLError_Unknown", "name 0": name, "name 1": name}
    assert double.ask(scenario, code) == expected


@pytest.mark.parametrize(
    ("scenario", "error"),
    [
        ("init = DRIVER_NOT_LOADED", "NVMLError_DriverNotLoaded"),
        ("init = LIB_RM_VERSION_MISMATCH", "NVMLError_LibRmVersionMismatch"),
        ("fail.nvmlInit = UNKNOWN", "NVMLError_Unknown"),
    ],
)
def test_init_can_fail(double: Double, scenario: str, error: str) -> None:
    assert error in double.run(scenario, INIT).stdout


def test_driver_that_is_not_the_librarys(double: Double) -> None:
    assert "NVMLError_LibRmVersionMismatch" in double.run("driver_version = 535.104.05", INIT, "535.309.01").stdout


def test_before_init_nothing_works(double: Double) -> None:
    result = double.run("", "ask('count', nvml.nvmlDeviceGetCount)\nask('any', nvml._nvmlGetFunctionPointer, 'nvmlDeviceGetCount')")
    assert "NVMLError_Uninitialized" in result.stdout


def test_slow_calls(double: Double) -> None:
    code = """
import time
gpu = nvml.nvmlDeviceGetHandleByIndex(0)
start = time.monotonic()
nvml.nvmlDeviceGetName(gpu)
answers["s"] = time.monotonic() - start
"""
    assert double.ask("delay_ms.nvmlDeviceGetName = 60", code)["s"] >= 0.06


def test_a_hang_is_a_hang(double: Double) -> None:
    code = "import pynvml; pynvml.nvmlInit(); pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(0))"
    environment = double.environment("gpu.0.hang.nvmlDeviceGetName = true", "1")
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run([sys.executable, "-c", code], env=environment, timeout=0.7, check=False)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("gpu.1.temprature = 3", "did you mean 'temperature'"),
        ("gpu.1.temperature = warm", "a whole number"),
        ("gpu.8.temperature = 3", "the scenario has 8 GPUs"),
        ("gpu.1.nvlink.40.state = down", "gpu.<number or *>.nvlink."),
        ("gpu.1.nvlink.4.sate = down", "did you mean 'state'"),
        ("gpu.1.lost = yes", "one of: false true handle"),
        ("gpu.1.lost = UNKNOWN", "one of: false true handle"),
        ("gpu.1.fabric.state = done", "one of: not_supported not_started in_progress completed"),
        ("gpu.1.process = 12", "PID, MiB, NAME"),
        ("gpus = 99", "a number from 0 to 32"),
        ("profile = h10", "a profile: a10"),
        ("init = BROKEN", "one of: SUCCESS"),
        ("driver_version = new", "a version such as"),
        ("fail.nvmlDeviceGetTemprature = UNKNOWN", "did you mean 'nvmlDeviceGetTemperature'"),
        ("fail.nvmlDeviceGetTemperature = UNKOWN", "one of: SUCCESS"),
        ("temperature = 3", "a key of the scenario"),
        ("lost", "key = value"),
    ],
)
def test_a_mistake_never_looks_healthy(double: Double, line: str, hint: str) -> None:
    result = double.run(f"# comment\n{line}\n", INIT)
    assert "NVMLError_InvalidArgument" in result.stdout
    assert "scenario.conf:2: found" in result.stderr
    assert hint in result.stderr


def test_missing_scenario_file(double: Double) -> None:
    double.environment("", "1")
    environment = {"LD_LIBRARY_PATH": str(double.folder), "GPU_FLEET_DOUBLE_SCENARIO": "/nonexistent"}
    result = subprocess.run(
        [sys.executable, "-c", "import pynvml; pynvml.nvmlInit()"], env=environment, capture_output=True, text=True, check=False
    )
    assert "NVMLError_InvalidArgument" in result.stderr
    assert "found no file /nonexistent" in result.stderr
