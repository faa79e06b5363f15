"""The passive check on the real bindings and a library of the real interface: faults in, findings out."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from unit.module_utils.healthy_node import address
from unit.module_utils.simulated_node import SimulatedNode, nvml_header

pytestmark = pytest.mark.skipif(
    nvml_header() is None or shutil.which("make") is None or shutil.which("gcc") is None, reason="needs nvidia-nvml-dev, make and gcc"
)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> SimulatedNode:
    return SimulatedNode.build(tmp_path_factory.mktemp("node"))


@pytest.mark.parametrize(
    ("scenario", "expected", "verdict"),
    [
        ("", set(), "ready"),
        ("gpu.3.lost = true", {("gpu_answers", address(3), "fail", "reboot")}, "not_ready"),
        ("gpu.3.lost = handle", {("gpu_answers", address(3), "fail", "reboot")}, "not_ready"),
        ("gpu.3.lost_after_calls = 9", {("gpu_answers", address(3), "fail", "reboot")}, "not_ready"),
        ("gpu.2.ecc.volatile.uncorrected.sram = 1", {("ecc", address(2), "fail", "reset_gpu")}, "not_ready"),
        (
            "gpu.2.ecc.mode = UNKNOWN",
            {("ecc", address(2), "error", "investigate"), ("sram", address(2), "error", "investigate")},
            "unknown",
        ),
        ("gpu.5.remapped_rows.failure = true", {("row_remapping", address(5), "fail", "replace")}, "not_ready"),
        ("gpu.5.recovery_action = node_reboot", {("recovery_action", address(5), "fail", "reboot")}, "not_ready"),
        ("gpu.6.nvlink.17.state = down", {("nvlink", address(6), "fail", "reset_gpu")}, "not_ready"),
        ("gpu.6.fabric.state = in_progress", {("fabric", address(6), "fail", "investigate")}, "not_ready"),
        ("gpu.7.pcie.width.current = 4", {("pcie_width", address(7), "fail", "investigate")}, "degraded"),
        ("gpu.0.clocks.event_reasons = power_brake", {("clocks", address(0), "fail", "investigate")}, "degraded"),
        ("gpu.0.temperature = 86", {("temperature", address(0), "fail", "investigate")}, "degraded"),
        ("gpu.0.persistence_mode = disabled", {("persistence", address(0), "fail", "investigate")}, "degraded"),
        (
            "init = LIB_RM_VERSION_MISMATCH",
            {
                ("driver", "", "fail", "reboot"),
                ("gpu_count", "", "error", "investigate"),
                ("gpu_answers", "", "error", "investigate"),
            },
            "not_ready",
        ),
    ],
)
def test_a_fault_of_the_library_is_found(node: SimulatedNode, scenario: str, expected: set[Any], verdict: str) -> None:
    result = node.check(scenario, {"gpu_model": "H100 80GB HBM3", "gpu_count": 8, "driver_version": "570"})
    found = {
        (item["check"], item["subject"]["id"] if item["subject"]["kind"] == "gpu" else "", item["status"], item["action"])
        for item in result["findings"]
        if item["status"] in ("fail", "error")
    }
    assert found == expected
    assert result["verdict"] == verdict


def test_a_library_that_hangs_is_an_error_in_time(node: SimulatedNode) -> None:
    result = node.check("gpu.5.hang.nvmlDeviceGetSerial = true", seconds=2)
    assert result["duration_s"] < 20
    assert result["verdict"] == "unknown"
    errors = {(item["check"], item["subject"]["id"]) for item in result["findings"] if item["status"] == "error"}
    assert errors == {("gpu_answers", address(index)) for index in (5, 6, 7)}


@pytest.mark.parametrize("driver", ["535.183.01", "550.54.15", "580.65.06"])
def test_what_a_supported_driver_does_not_have_yet_is_no_fault(tmp_path: Path, driver: str) -> None:
    result = SimulatedNode.build(tmp_path, driver).check()
    bad = [item["message"] for item in result["findings"] if item["status"] in ("fail", "error")]
    assert (result["verdict"], bad) == ("ready", [])
    assert "GPUs: joined the NVSwitch fabric" in " ".join(item["message"] for item in result["findings"])
