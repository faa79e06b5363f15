"""The playbook upgrade_driver.yml and nodes that do not answer. Where nobody does, nothing is connected to and nothing changed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"


def upgrade(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    hosts = tmp_path / "hosts.yml"
    hosts.write_text("gpu_nodes: {hosts: {a: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n")  # where nobody listens
    command = [PLAYBOOK, "playbooks/upgrade_driver.yml", "-i", hosts, "-e", "nvidia_driver_version=570.148.08", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def test_nodes_that_do_not_answer_are_no_success(tmp_path: Path) -> None:
    result = upgrade(tmp_path, "-e", '{"driver_upgrade_waves": [1, "25%", "100%"]}')
    assert result.returncode != 0, result.stdout
    assert "Found a not answering: " in " ".join(result.stdout.split())


def test_a_wave_that_means_all_at_once_is_refused(tmp_path: Path) -> None:
    result = upgrade(tmp_path, "-e", '{"driver_upgrade_waves": [0]}')
    assert result.returncode != 0, result.stdout
    assert "driver_upgrade_waves: found wave 0, expected a number of nodes from 1 on" in " ".join(result.stdout.split())
    assert "UNREACHABLE" not in result.stdout
