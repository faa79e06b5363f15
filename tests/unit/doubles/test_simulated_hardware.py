"""What the rest of a node shows of a scenario: device nodes, PCI devices, kernel log, /proc, and the library's own copy of it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

    from tests.unit.doubles.conftest import Double

HARDWARE = Path(__file__).parents[2] / "doubles" / "hardware" / "hardware.py"
Describe = Callable[[str], dict[str, Any]]
XID = "NVRM: Xid (PCI:0000:9b:00): 79, GPU has fallen off the bus."


@pytest.fixture(scope="module")
def hardware() -> ModuleType:
    spec = importlib.util.spec_from_file_location("simulated_hardware", HARDWARE)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_describe(double: Double, scenario: str) -> subprocess.CompletedProcess[str]:
    """The scenario as the library understands it, asked the way the node's script asks."""
    code = f"""
import json, sys
from pathlib import Path
sys.path.insert(0, {str(HARDWARE.parent)!r})
import hardware
print(json.dumps(hardware.describe(Path({str(double.folder / "libnvidia-ml.so.1")!r}))))
"""
    environment = double.environment(scenario, "1")
    return subprocess.run([sys.executable, "-B", "-c", code], env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def describe(double: Double) -> Describe:
    def ask(scenario: str) -> dict[str, Any]:
        result = run_describe(double, scenario)
        assert result.returncode == 0, result.stderr
        answer: dict[str, Any] = json.loads(result.stdout)
        return answer

    return ask


def test_describe_gives_every_gpu_with_every_key(describe: Describe) -> None:
    scenario = describe('gpu.2.lost = true\ngpu.1.name = a "name" \\ more\ngpu.0.temperature = NOT_SUPPORTED\nkernel_log = ' + XID)
    assert len(scenario["gpus"]) == 8
    assert scenario["gpus"][2]["lost"] == 1
    assert scenario["gpus"][1]["name"] == 'a "name" \\ more'
    assert scenario["gpus"][0]["temperature"] is None
    assert scenario["kernel_log"] == [XID]
    assert scenario["switches"][0] == "0000:07:00.0"


def test_describe_refuses_what_nvml_refuses(double: Double) -> None:
    result = run_describe(double, "gpu.0.lots = true")
    assert result.returncode == 1
    assert "did you mean 'lost'" in result.stderr


def test_pci_devices_are_the_gpus_that_are_there_and_the_switches(hardware: ModuleType, describe: Describe) -> None:
    devices = hardware.pci_devices(describe("gpu.1.absent = true\ngpu.2.lost = true\ngpu.3.pcie.width.current = 8\ngpu.4.numa_node = -1"))
    gpus = {address: files for address, files in devices.items() if files["class"] == b"0x030200\n"}
    switches = [address for address, files in devices.items() if files["class"] == b"0x068000\n"]
    assert len(gpus) == 7
    assert "0000:43:00.0" not in gpus
    assert len(switches) == 4
    assert all(files["vendor"] == b"0x10de\n" for files in devices.values())
    assert gpus["0000:1b:00.0"]["device"] == b"0x2330\n"
    assert gpus["0000:1b:00.0"]["max_link_speed"] == b"32.0 GT/s PCIe\n"
    assert gpus["0000:61:00.0"]["current_link_width"] == b"8\n"
    assert gpus["0000:9d:00.0"]["numa_node"] == b"-1\n"
    assert gpus["0000:1b:00.0"]["config"][:4] == bytes([0xDE, 0x10, 0x30, 0x23])


def test_device_nodes_follow_the_minor_numbers(hardware: ModuleType, describe: Describe) -> None:
    nodes = hardware.device_nodes(describe("gpus = 4\ngpu.0.absent = true\ngpu.2.device_node = false\nswitches = none"))
    assert nodes == {
        "nvidiactl": (195, 255),
        "nvidia-uvm": (510, 0),
        "nvidia-uvm-tools": (510, 1),
        "nvidia0": (195, 0),
        "nvidia2": (195, 2),
    }


def test_kernel_log_has_the_planted_lines_last(hardware: ModuleType, describe: Describe) -> None:
    messages = hardware.kernel_messages(describe("gpus = 2\nkernel_log = one\nkernel_log = " + XID), "535.309.01")
    assert "NVIDIA UNIX x86_64 Kernel Module  535.309.01" in messages[0][1]
    assert messages[-2:] == [(3, "one"), (3, XID)]
    assert hardware.kernel_messages(describe(""), "") == [], "no driver, no line of it"


def test_kernel_log_is_in_the_kernels_record_format(hardware: ModuleType) -> None:
    records = hardware.kernel_records([(6, "first"), (3, XID)], [], 5140900)
    log = hardware.format_log([(5, 100, "Linux"), *records])
    assert log.splitlines() == ["5,0,100,-;Linux", "6,1,5140900,-;first", f"3,2,5140900,-;{XID}"]
    assert hardware.parse_log(log) == [(5, 100, "Linux"), (6, 5140900, "first"), (3, 5140900, XID)]


def test_kernel_log_keeps_the_time_of_what_was_logged(hardware: ModuleType) -> None:
    earlier = [(3, 10, "same"), (3, 20, "same"), (3, 30, "gone")]
    assert hardware.kernel_records([(3, "same"), (3, "same"), (3, "same"), (3, "new")], earlier, 99) == [
        (3, 10, "same"),
        (3, 20, "same"),
        (3, 99, "same"),
        (3, 99, "new"),
    ]


def test_proc_says_version_and_gpus(hardware: ModuleType, describe: Describe) -> None:
    files = hardware.proc_files(describe("gpus = 1"), "550.163.01")
    assert b"Kernel Module  550.163.01  " in files["version"]
    assert b"Model: \t\t NVIDIA H100 80GB HBM3\n" in files["gpus/0000:1b:00.0/information"]


def test_tree_is_changed_in_place(hardware: ModuleType, tmp_path: Path) -> None:
    hardware.write_tree(tmp_path, {"a/x": b"1", "b": b"2"})
    kept = (tmp_path / "b").stat().st_ino
    hardware.write_tree(tmp_path, {"b": b"3", "c": b"4"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"b": b"3", "c": b"4"}
    assert (tmp_path / "b").stat().st_ino == kept


def test_driver_version(hardware: ModuleType) -> None:
    library = Path("/usr/lib/x86_64-linux-gnu/nvidia/current/libnvidia-ml.so.535.309.01")
    assert hardware.driver_version({"driver_version": ""}, []) == ""
    assert hardware.driver_version({"driver_version": ""}, [library]) == "535.309.01"
    assert hardware.driver_version({"driver_version": "535.1.2"}, [library]) == "535.1.2"


@pytest.mark.skipif(Path("/etc/gpu-fleet-double").exists(), reason="this machine has a scenario of its own, which comes first")
def test_library_carries_its_scenario_into_containers(hardware: ModuleType, library: Path, tmp_path: Path) -> None:
    """A container gets the library file alone: the scenario appended to it is then the one that counts."""
    stamped = tmp_path / "libnvidia-ml.so.1"
    stamped.write_bytes(hardware.stamp(library.read_bytes(), "device_nodes = ignore\nprofile = t4\ngpus = 3\n", "node-7"))
    code = "import pynvml as n; n.nvmlInit(); print(n.nvmlDeviceGetCount(), n.nvmlDeviceGetName(n.nvmlDeviceGetHandleByIndex(2)))"
    command = [sys.executable, "-c", code]
    environment = {"LD_LIBRARY_PATH": str(tmp_path)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "3 Tesla T4", result.stderr
