"""What the role refuses of a node, by its own tasks; what would look at the node is said instead."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml

ROLE = Path(__file__).parents[4] / "roles/jupyter_hub"
NODE = {"users": {}, "homes": {}, "addresses": {}, "python": "3.11", "network": "", "missing": [], "local": [], "shadow": "shadow"}
# Neither CDI nor NVIDIA's runtime.
ENGINE = {"ServerVersion": "20.10", "Runtimes": {"runc": {}}}

VARIABLES = {
    "jupyter_hub_users": [{"name": "ada"}],
    "jupyter_hub_profiles": [{"name": "Mine", "gpus": "{{ 0 if inventory_hostname == 'without' else 'all' }}"}],
    "__jupyter_hub_look": {"stdout": json.dumps({**NODE, "docker": ENGINE})},
}


def test_profiles_with_gpus_are_refused_where_the_engine_cannot_hand_them_over(tmp_path: Path) -> None:
    play = {
        "hosts": "all",
        "connection": "local",
        "gather_facts": False,
        "vars_files": [str(ROLE / "defaults/main.yml"), str(ROLE / "vars/main.yml")],
        "tasks": [{"ansible.builtin.include_tasks": str(ROLE / "tasks/refuse.yml"), "vars": VARIABLES}],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    command = [Path(sys.executable).parent / "ansible-playbook", "-i", "with,without,", tmp_path / "play.yml"]
    done = subprocess.run(command, cwd=ROLE.parents[1], capture_output=True, text=True, check=False)
    counted = {line.split()[0]: "failed=1" in line for line in done.stdout.splitlines() if "failed=" in line}
    assert counted == {"with": True, "without": False}, done.stdout + done.stderr
    assert "found neither CDI nor the runtime 'nvidia'" in done.stdout
