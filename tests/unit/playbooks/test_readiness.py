"""The playbook readiness.yml on a host that nobody provisioned, this one, as an ordinary user: it measures, and leaves its history."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"


def check(tmp_path: Path, inventory: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    hosts = tmp_path / "hosts.yml"
    hosts.write_text(inventory)
    variables: dict[str, Any] = {
        "ansible_become": False,
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "ansible_remote_tmp": str(tmp_path / "remote"),
        "fleet_report_directory": str(tmp_path / "reports"),
        "gpu_readiness_history": str(tmp_path / "node" / "history.json"),
    }
    command = [PLAYBOOK, "playbooks/readiness.yml", "-i", hosts, "-e", json.dumps(variables), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def test_any_inventory_will_do_and_nothing_but_the_history_is_written(tmp_path: Path) -> None:
    result = check(tmp_path, "servers: {hosts: {a: }}\n")
    assert result.returncode == 2, result.stdout + result.stderr  # there are no GPUs here: the gate fails the host, and nothing before it
    assert "changed=0 " in result.stdout
    (node,) = json.loads((tmp_path / "reports" / "report.json").read_text())["nodes"]
    assert (node["node"], node["verdict"]) == ("a", "not_ready")
    assert [path.name for path in (tmp_path / "node").iterdir()] == ["history.json"]
    assert "matmul" not in {finding["check"] for finding in node["findings"]}


def test_where_there_is_a_group_gpu_nodes_only_that_is_measured(tmp_path: Path) -> None:
    result = check(tmp_path, "gpu_nodes: {hosts: {a: }}\nothers: {hosts: {b: }}\n", "--check")
    assert "1 node: 1 not ready" in result.stdout
    assert not (tmp_path / "node").exists()  # nor is anything written in check mode


@pytest.mark.parametrize(
    ("inventory", "arguments", "message"),
    [
        ("all: {hosts: {}}", [], "Found 0 hosts in the group gpu_nodes"),
        ("servers: {hosts: {a: }}", ["--limit", "b"], "Specified inventory, host pattern and/or --limit leaves us with no hosts to target"),
        (
            "servers: {hosts: {a: }}",
            ["-e", "level=thorough"],
            "level: found thorough, expected passive, quick, standard (or active) or burn_in",
        ),
        ("servers: {hosts: {a: {gpu_readiness_timeot_s: 5}}}", [], "did you mean gpu_readiness_timeout_s?"),
    ],
    ids=["no host", "a limit that leaves none", "no such level", "no such variable"],
)
def test_what_is_not_meant_is_refused_before_anything_is_measured(
    tmp_path: Path, inventory: str, arguments: list[str], message: str
) -> None:
    result = check(tmp_path, inventory + "\n", *arguments)
    assert result.returncode != 0
    assert message in " ".join((result.stdout + result.stderr).split())
    assert not (tmp_path / "node").exists()
