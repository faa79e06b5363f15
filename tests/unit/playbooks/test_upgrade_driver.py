"""The playbook upgrade_driver.yml, its waves, and nodes that do not answer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"


# What the role does to a node, in its place: node b is lost meanwhile.
STUB = """
- name: Reach the node
  ansible.builtin.ping:
  vars:
    ansible_connection: "{{ 'ssh' if inventory_hostname == 'b' else 'local' }}"
    ansible_host: 127.0.0.1
    ansible_port: 1
"""


def collection_with(tmp_path: Path, stub: str) -> Path:
    """Lay out the collection with another role driver_upgrade, and return where collections are then."""
    fleet = tmp_path / "collections/ansible_collections/gpu/fleet"
    (fleet / "roles/driver_upgrade/tasks").mkdir(parents=True)
    for path in (ROOT / name for name in ("galaxy.yml", "meta", "playbooks", "plugins")):
        (fleet / path.name).symlink_to(path)
    for role in (ROOT / "roles").iterdir():
        if role.name != "driver_upgrade":
            (fleet / "roles" / role.name).symlink_to(role)
    for folder in ("defaults", "meta"):
        (fleet / "roles/driver_upgrade" / folder).symlink_to(ROOT / "roles/driver_upgrade" / folder)
    (fleet / "roles/driver_upgrade/tasks/main.yml").write_text(stub)
    return tmp_path / "collections"


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


def test_no_wave_begins_behind_one_of_which_a_node_was_lost(tmp_path: Path) -> None:
    """Ansible itself would go on, since it counts who failed and not who does not answer, where others of the wave are left."""
    hosts = tmp_path / "hosts.yml"
    hosts.write_text(
        "gpu_nodes: {hosts: {a: , b: , c: }, vars: {ansible_connection: local, ansible_become: false, driver_upgrade_waves: [2]}}\n"
    )
    path = [collection_with(tmp_path, STUB), ROOT / ".collections"]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": ":".join(map(str, path)), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    said = f"nvidia_driver_version=570.148.08 ansible_python_interpreter={sys.executable}"
    command = [PLAYBOOK, "gpu.fleet.upgrade_driver", "-i", hosts, "-e", said]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120)
    told = " ".join(result.stdout.split())
    assert result.returncode != 0, told
    assert "Found b of an earlier wave not upgraded, or not answering any more." in told
    assert "c was not touched." in told
    assert "ok: [a]" in told
    assert told.count("TASK [gpu.fleet.driver_upgrade : Reach the node]") == 1
