"""The role through ansible-playbook, on hosts that do not exist: it connects to none of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from unit.module_utils.report.builders import lost, readiness

ROOT = Path(__file__).parents[4]
PLAYBOOK = [
    {
        "hosts": "gpu_nodes",
        "gather_facts": False,
        "become": True,
        "tasks": [{"import_role": {"name": "gpu.fleet.fleet_report", "rolespec_validate": False}}],
    }
]
HOSTS: dict[str, dict[str, Any]] = {
    "gpu-01": {"gpu_readiness_result": readiness()},
    "gpu-02": {"gpu_readiness_result": readiness("not_ready", lost())},
    "gpu-03": {"fleet_unreachable": "ssh: connect to host 10.0.0.3 port 22: No route to host"},
    "gpu-04": {
        "fleet_failed": {"task": "install | Install the driver", "message": "found no version 535.999, expected it: password=hunter2"}
    },
    "gpu-05": {"gpu_readiness_result": readiness("not_ready", lost()), "fleet_report_expected_verdict": "{{ 'not_' ~ 'ready' }}"},
    "gpu-06": {},
}


class Fleet:
    """An inventory and a playbook in a directory of their own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.reports = directory / "reports"
        (directory / "play.yml").write_text(yaml.safe_dump(PLAYBOOK))
        (directory / "ansible.cfg").write_text("[defaults]\n")
        self.inventory(HOSTS)

    def inventory(self, hosts: dict[str, dict[str, Any]]) -> None:
        (self.directory / "hosts.yml").write_text(yaml.safe_dump({"gpu_nodes": {"hosts": hosts}}))

    def run(self, *arguments: str, callback: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        environment |= {"ANSIBLE_CONFIG": str(self.directory / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections")}
        environment |= {"ANSIBLE_NOCOLOR": "1", "COLUMNS": "160", "ANSIBLE_HOME": str(self.directory / "home")}
        if callback:
            environment["ANSIBLE_CALLBACKS_ENABLED"] = "gpu.fleet.fleet_report"
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "hosts.yml", "play.yml", *arguments]
        return subprocess.run(command, cwd=self.directory, env=environment, capture_output=True, text=True, check=False)

    def report(self) -> dict[str, dict[str, Any]]:
        return {node["node"]: node for node in json.loads((self.reports / "report.json").read_text())["nodes"]}


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def test_a_run_with_trouble_reports_every_node_and_fails_those_that_are_refused(fleet: Fleet) -> None:
    result = fleet.run("-e", "fleet_report_notice='Simulated GPUs'")
    assert result.returncode == 2, result.stdout + result.stderr
    found = fleet.report()
    assert {name: node["verdict"] for name, node in found.items()} == {
        "gpu-01": "ready",
        "gpu-02": "not_ready",
        "gpu-03": "unknown",
        "gpu-04": "not_ready",
        "gpu-05": "not_ready",
        "gpu-06": "unknown",
    }
    assert {name for name, node in found.items() if node["accepted"]} == {"gpu-01", "gpu-05"}
    recap, table = result.stdout.split("PLAY RECAP")[1].split("GPU fleet ", 1)
    failed = {line.split()[0] for line in recap.splitlines() if "failed=1" in line}
    assert failed == {"gpu-02", "gpu-03", "gpu-04", "gpu-06"}
    assert "unreachable=1" not in recap
    assert "! Simulated GPUs" in table
    assert table.index("gpu-02") < table.index("gpu-05") < table.index("gpu-01")
    assert table.rstrip().endswith(f"6 nodes: 1 ready, 2 unknown, 3 not ready\nReport: {fleet.reports / 'report.html'}")
    assert "changed=0" in recap
    assert "Simulated GPUs" in (fleet.reports / "report.html").read_text()
    assert "hunter2" not in "".join(path.read_text() for path in fleet.reports.rglob("*") if path.is_file())


def test_a_limited_run_shows_the_others_from_their_last_result_and_gates_only_its_own(fleet: Fleet) -> None:
    nodes = fleet.reports / "nodes"
    nodes.mkdir(parents=True)
    old = {"schema": 1, "node": "gpu-02", "measured_at": "2026-11-20T10:12:00+00:00", **readiness("not_ready", lost())}
    (nodes / "gpu-02.json").write_text(json.dumps(old))
    (nodes / "gpu-03.json").write_text("{half")
    result = fleet.run("--limit", "gpu-01", callback=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "measured 2026-11-20 10:12 UTC" in " ".join(result.stdout.split())
    assert "never measured" in result.stdout
    assert "gpu-03.json" in result.stdout
    assert (nodes / "gpu-03.json.unreadable").read_text() == "{half"
    assert result.stdout.index("Report: ") < result.stdout.index("PLAY RECAP")
    found = fleet.report()
    assert (found["gpu-02"]["in_run"], found["gpu-02"]["verdict"]) == (False, "not_ready")
    assert json.loads((nodes / "gpu-02.json").read_text()) == old


def test_nodes_that_differ_from_each_other_are_degraded_unless_that_is_meant(fleet: Fleet) -> None:
    other = readiness()
    other["observation"]["nvml"]["driver_version"] = {"value": "550.163.01"}
    fleet.inventory({"gpu-01": {"gpu_readiness_result": readiness()}, "gpu-02": {"gpu_readiness_result": other}})
    result = fleet.run()
    assert result.returncode == 2
    found = fleet.report()
    assert {node["verdict"] for node in found.values()} == {"degraded"}
    assert "found driver 550.163.01, expected one for all of the 2 nodes of this run, which have also 535.261.03" in str(found["gpu-02"])
    result = fleet.run("-e", '{"fleet_report_may_differ": ["driver"]}')
    assert result.returncode == 0, result.stdout + result.stderr
    assert {node["verdict"] for node in fleet.report().values()} == {"ready"}


def test_check_mode_prints_and_writes_nothing_and_does_not_gate(fleet: Fleet) -> None:
    result = fleet.run("--check")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "gpu-02  not ready" in result.stdout
    assert "Check mode: the report was not written." in result.stdout
    assert not fleet.reports.exists()


def test_a_directory_that_cannot_be_written_fails_the_run_after_the_table(fleet: Fleet) -> None:
    fleet.inventory({"gpu-01": HOSTS["gpu-01"]})
    fleet.reports.write_text("a file is in the way")
    result = fleet.run()
    assert result.returncode == 2
    assert "1 node: 1 ready" in result.stdout
    assert "set fleet_report_directory" in result.stdout + result.stderr
