"""The lock as a run of Ansible takes it: a run that was killed is replaced, and one of another container of that name is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.node_lock import controller

ROOT = Path(__file__).parents[3]
ADHOC = Path(sys.executable).parent / "ansible"
NO_PROCESS = 4194305  # more than Linux gives


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


def ask(path: Path, state: str = "held") -> subprocess.CompletedProcess[str]:
    what = ["-m", "gpu.fleet.node_lock", "-a", json.dumps({"path": str(path), "state": state, "purpose": "a test"})]
    command = [ADHOC, "gpu-01", "-i", "gpu-01,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}", *what]
    environment = {**os.environ, "ANSIBLE_HOME": str(path.parent / "home")}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)


def held(path: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(path.read_text())
    return told


def test_the_lock_of_a_run_that_is_gone_is_taken_over_but_not_that_of_another_container(path: Path) -> None:
    assert ask(path).returncode == 0
    former = held(path)  # that run has ended without releasing it
    assert former["controller"] == controller()
    assert ask(path).returncode == 0
    assert (held(path)["owner"], held(path)["process"]) != (former["owner"], former["process"])

    elsewhere = {**held(path), "controller": former["controller"].replace("pid:[", "pid:[1"), "process": NO_PROCESS}
    path.write_text(json.dumps(elsewhere))
    refused = ask(path)
    said = " ".join((refused.stdout + refused.stderr).split())
    assert refused.returncode != 0
    assert f"found this node locked by {former['owner']} (process {NO_PROCESS} there) since {elsewhere['since']} for a test" in said
    assert f"run `sudo rm {path}` on gpu-01" in said
    assert ask(path, "free").returncode == 0
    assert held(path) == elsewhere
