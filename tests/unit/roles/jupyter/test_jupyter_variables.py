"""What the role takes from what it sees: which workspaces go, and which container each is to have. Templated by Ansible itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.gpu.fleet.plugins.module_utils.workspaces.claims import complete
from ansible_collections.gpu.fleet.plugins.module_utils.workspaces.placement import place

ROOT = Path(__file__).parents[4]
ROLE = ROOT / "roles/jupyter"
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIvs0zTh4Nh0wzm8bq1qk1bYb4mAEkT2SxKyqVJp6Vhz someone"
PLACES = {"data_directory": "/srv/workspaces", "bind_address": "127.0.0.1", "ssh_bind_address": "0.0.0.0", "shm_size": "8g"}
NODE = {
    "gpus": [],
    "no_gpus": "",
    "claims": {},
    "leaving": [],
    "listening": [],
    "users": {},
    "numbers": [],
    "homes": {},
    "missing": [],
    "owners": {},
    "free_bytes": {},
}
(WORKSPACE,) = place(complete([{"name": "alice", "user": "alice", "authorized_keys": [KEY], "gpus": []}], PLACES), NODE, 0)
UNITS = {"jupyter-workspace-gone.service": "active enabled", "jupyter-workspace-also.service": "active enabled"}


def values(tmp_path: Path, cases: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return what a variable of the role comes to in each case: `asked`, its name, and what is `seen` and `only`."""
    seen = {"units": {}, "containers": [], "docker": {"CDISpecDirs": ["/etc/cdi"]}}
    given = {
        "cases": {name: {"only": "", **case, "seen": {**seen, **case.get("seen", {})}} for name, case in cases.items()},
        "directory": str(tmp_path),
        "ansible_python_interpreter": sys.executable,
    }
    play = {
        "hosts": "all",
        "connection": "local",
        "gather_facts": False,
        "vars_files": [str(ROLE / "defaults/main.yml"), str(ROLE / "vars/main.yml")],
        "tasks": [
            {
                "ansible.builtin.copy": {
                    "dest": f"{tmp_path}/{{{{ inventory_hostname }}}}.value",
                    "content": "{{ lookup('ansible.builtin.vars', cases[inventory_hostname].asked) | to_json }}",
                    "mode": "0600",
                },
                "vars": {
                    "workspace": WORKSPACE,
                    "workspace_image_reference": "image:new",
                    "jupyter_workspaces_directory": "{{ directory }}",
                    "jupyter_only": "{{ cases[inventory_hostname].only }}",
                    "__jupyter_seen": "{{ cases[inventory_hostname].seen }}",
                    "__jupyter_hashes": {"alice": "hash"},
                },
            }
        ],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    (tmp_path / "given.json").write_text(json.dumps(given))
    command = [PLAYBOOK, tmp_path / "play.yml", "-i", ",".join((*cases, "")), "-e", f"@{tmp_path}/given.json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: json.loads((tmp_path / f"{name}.value").read_text()) for name in cases}


def test_a_run_about_one_workspace_removes_no_other(tmp_path: Path) -> None:
    asked = {"asked": "__jupyter_removed_names", "seen": {"units": UNITS}}
    found = values(tmp_path, {"site": asked, "one": {**asked, "only": "gone"}})
    assert (sorted(found["site"]), found["one"]) == (["also", "gone"], ["gone"])


def test_a_newer_image_comes_with_site_or_with_another_configuration(tmp_path: Path) -> None:
    configured = values(tmp_path, {"it": {"asked": "__jupyter_configured"}})["it"]
    former = {"name": f"{configured}-abcdef", "workspace": "alice", "image": "image:old"}
    same = {"asked": "__jupyter_image", "seen": {"containers": [former]}}
    other = {"asked": "__jupyter_image", "seen": {"containers": [{**former, "name": "jupyter-workspace-alice-000000000000-abcdef"}]}}
    found = values(tmp_path, {"site": same, "one": {**same, "only": "alice"}, "changed": {**other, "only": "alice"}})
    assert found == {"site": "image:new", "one": "image:old", "changed": "image:new"}


def test_a_workspace_cannot_take_all_processes_of_the_node(tmp_path: Path) -> None:
    assert "--pids-limit=8192" in values(tmp_path, {"it": {"asked": "__jupyter_options"}})["it"]


def test_what_was_written_down_is_read_from_one_file_each_and_from_the_former_one(tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    (tmp_path / "it/bob.yml").write_text("- name: bob\n")
    (tmp_path / "it.yml").write_text("- name: carol\n- name: alice\n")
    found = values(tmp_path, {"it": {"asked": "jupyter_workspaces_added"}, "other": {"asked": "jupyter_workspaces_added"}})
    assert ([entry["name"] for entry in found["it"]], found["other"]) == (["alice", "bob", "carol"], [])
