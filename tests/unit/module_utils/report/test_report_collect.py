"""What a run knows of a host becomes a node: never better than it was measured."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.plain import to_plain
from ansible_collections.gpu.fleet.plugins.module_utils.report import findings
from unit.module_utils.healthy_node import judged, observation
from unit.module_utils.report.builders import finding, lost, node, readiness


def test_a_measured_node_keeps_its_verdict_and_says_what_it_is() -> None:
    found = node()
    assert (found.verdict, found.in_run, found.headline) == ("ready", True, "1 check passed")
    assert (found.hardware.gpus, found.hardware.driver) == ("8 \N{MULTIPLICATION SIGN} H100 80GB HBM3", "535.261.03")


def test_what_the_readiness_code_makes_is_read_in_full() -> None:
    seen = observation(gpus={5: None})
    made, verdict = judged(seen, {"gpu_count": 8})
    found = node(
        readiness={"verdict": verdict, "findings": [each.to_plain() for each in made], "observation": to_plain(seen), "duration_s": 1.0}
    )
    assert found.verdict == verdict == "not_ready"
    assert sorted(found.findings, key=repr) == sorted(made, key=repr)
    assert (found.hardware.gpus, found.hardware.driver) == ("7 \N{MULTIPLICATION SIGN} H100 80GB HBM3", "570.124.06")


def test_an_unreachable_node_is_unknown_and_says_what_ssh_said() -> None:
    found = node(unreachable="Task failed: Failed to connect to the host via ssh: ssh: connect to host 10.0.0.2 port 22: No route to host")
    assert (found.verdict, found.wrong[0].check, found.wrong[0].status) == ("unknown", "reach", "error")
    assert "connection (ssh: connect to host 10.0.0.2 port 22: No route to host), expected one" in found.headline
    assert "--limit gpu-01" in found.headline


def test_a_failed_step_is_a_finding_next_to_what_was_measured() -> None:
    failed = {
        "role": "nvidia_driver",
        "task": "install | Install the driver",
        "message": "found no version 535.999, expected it: choose another",
    }
    found = node(readiness=readiness(), failed=failed)
    first = found.findings[0]
    assert found.verdict == "not_ready"
    assert (first.check, first.status, first.kills_job) == ("provision", "fail", True)
    assert first.message == "nvidia_driver: install | Install the driver: found no version 535.999, expected it: choose another"
    assert found.findings[1].check == "gpu_count"


def test_what_was_found_across_nodes_counts_and_can_only_make_it_worse() -> None:
    slow = {"check": "across_nodes", "status": "fail", "kills_job": True, "subject": {"kind": "node", "id": "a"}, "message": "found 1 GB/s"}
    alone = {**slow, "status": "skip", "kills_job": False, "message": "one node"}
    good = readiness()
    assert node(readiness=good, fabric=[slow]).verdict == "not_ready"
    assert node(readiness=good, fabric=[slow]).headline == "across_nodes: found 1 GB/s"
    assert node(readiness=good, fabric=[alone]).verdict == node(readiness=good).verdict == "ready"
    assert node(readiness=good, fabric=["rubbish"]).verdict == "unknown"
    assert node(readiness=None, fabric=[alone]).verdict == "unknown"


def test_a_step_that_failed_without_a_dictionary_is_told_all_the_same() -> None:
    assert node(failed="it broke").headline == "provision: it broke"


def test_a_host_of_the_run_without_any_result_is_unknown() -> None:
    found = node(readiness=None)
    assert (found.verdict, found.wrong[0].check) == ("unknown", "measurement")


@pytest.mark.parametrize(
    "broken",
    [
        "text",
        [],
        {},
        {"verdict": "ready"},
        {"verdict": "fine", "findings": []},
        {"verdict": ["ready"], "findings": []},
        readiness() | {"findings": "x"},
    ],
)
def test_a_readiness_of_another_shape_is_unknown_and_says_why(broken: Any) -> None:
    found = node(readiness=broken)
    assert found.verdict == "unknown"
    assert "expected" in found.headline


def test_keys_that_the_report_does_not_know_are_no_trouble() -> None:
    found = node(readiness=readiness("ready", finding(later="x"), later={"a": 1}))
    assert found.verdict == "ready"
    assert not found.wrong


@pytest.mark.parametrize("broken", ["text", None, 3, finding("passed"), finding(None), finding(["pass"])])  # type: ignore[arg-type]
def test_a_finding_that_cannot_be_read_is_an_error_and_never_ready(broken: Any) -> None:
    found = node(readiness=readiness("ready", finding(), broken))
    assert found.verdict == "unknown"
    assert found.wrong[0].status == "error"


def test_findings_of_any_shape_are_read() -> None:
    odd = findings.read(
        {"check": None, "subject": "GPU-1", "status": "fail", "action": "pray", "observed": {"value": float("nan")}, "source": 7}
    )
    assert (odd.check, odd.subject.id, odd.action, odd.source, odd.message) == ("unnamed", "GPU-1", "investigate", "7", "")
    assert [findings.Quantity.read({"value": value}) for value in (float("nan"), float("inf"), 1e300, "1", None)] == [None] * 5


def test_quantities_and_limits() -> None:
    assert findings.Quantity.read({"value": 41, "unit": "degrees Celsius"}) == findings.Quantity(41.0, "°C")
    assert findings.Quantity.read({"value": True, "unit": "x"}) is None
    assert findings.Limit.read({"minimum": 1, "maximum": 2.5, "unit": "V"}) == (
        findings.Limit(minimum=True, value=1.0, unit="V"),
        findings.Limit(minimum=False, value=2.5, unit="V"),
    )
    assert findings.Limit.read(8) == ()


def test_the_first_finding_is_the_one_to_read_first() -> None:
    slow = finding("fail", check="slow", action="investigate")
    blind = finding("error", check="blind", action="investigate")
    found = node(readiness=readiness("not_ready", finding(), finding("skip"), slow, blind, lost()))
    assert [each.check for each in found.wrong] == ["gpu_count", "blind", "slow"]
    assert [each.status for each in found.findings] == ["fail", "error", "fail", "skip", "pass"]
    assert found.actions == ("reboot", "investigate")


@pytest.mark.parametrize(
    ("observation", "gpus", "driver"),
    [
        (None, "", ""),
        ("text", "", ""),
        ({"schema": 2, "devices": []}, "", ""),
        ({"nvml": {"gpus": {"value": []}}}, "none", ""),
        (
            {
                "nvml": {"gpus": {"unreadable": "no library"}},
                "pci": {"value": {"gpus": [{}, {}]}},
                "kernel_module": {"value": {"version": "570.1"}},
            },
            "2 on the PCI bus",
            "570.1",
        ),
        (
            {"nvml": {"gpus": {"value": [{"name": {"unreadable": "lost"}, "state": {"value": "lost"}}, {"name": {"value": "L4"}}]}}},
            "1 \N{MULTIPLICATION SIGN} lost, 1 \N{MULTIPLICATION SIGN} L4",
            "",
        ),
    ],
)
def test_the_hardware_columns_tell_what_was_read(observation: Any, gpus: str, driver: str) -> None:
    hardware = node(readiness=readiness(observation=observation)).hardware
    assert (hardware.gpus, hardware.driver) == (gpus, driver)
