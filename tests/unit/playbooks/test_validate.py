"""A mistyped inventory must not look green: what validate.yml refuses, and what it says. It connects to nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"


def validate(inventory: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PLAYBOOK, "playbooks/validate.yml", "-i", inventory, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def workspace(name: str) -> str:
    return f"{{name: {name}, user: ada, jupyter_port: 8888, authorized_keys: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'A' * 43}']}}"


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    return tmp_path / "hosts.yml"


def test_the_template_says_which_file_to_edit() -> None:
    result = validate("gpu_fleet")
    assert result.returncode != 0
    assert "gpu_fleet/hosts.yml" in result.stdout
    assert "Nothing was changed" in result.stdout


def test_no_group_gpu_nodes_is_refused_even_under_a_limit(inventory: Path) -> None:
    inventory.write_text("servers: {hosts: {a: }}\n")
    assert "0 hosts in the group gpu_nodes" in validate(str(inventory)).stdout
    result = validate(str(inventory), "--limit", "a")
    assert result.returncode != 0


def test_a_good_inventory_passes(inventory: Path) -> None:
    inventory.write_text("gpu_nodes: {hosts: {a: {gpu_readiness_level: passive, my_own_variable: 1}}}\n")
    result = validate(str(inventory))
    assert result.returncode == 0, result.stdout + result.stderr


# What a node's variables say, and what is said of that.
MISTAKES = [
    ("gpu_readiness_levle: passive", "did you mean gpu_readiness_level?"),
    ("gpu_readiness_level: thorough", "value of gpu_readiness_level must be one of"),
    ("gpu_readiness_timeout_s: soon", "gpu_readiness_timeout_s"),
    ("jupyter_workspaces: [{nmae: a}]", "nmae"),
    ("gpu_readiness_expectation: {gpu_count: 0, gpu_model: H100}", "gpu_count"),
    (f"jupyter_workspaces: [{workspace('a')}, {workspace('b')}]", "8888"),
    ("users_accounts: [{name: alice, uid: 2001}, {name: bob, uid: 2001}]", "found uid 2001 2 times (alice, bob)"),
    ("users_accounts: [{name: alice, uid: 2001, authorized_keys: [nonsense]}]", "found the key 'nonsense'"),
    ("users_groups: [{name: Research}]", "found name 'Research'"),
    ("jupyter_hub_users: [{name: root}]", "expected a login name other than root"),
    ("jupyter_hub_profiles: [{name: One, gpus: some}]", "found gpus 'some'"),
    (
        "reverse_proxy_certificate: given, reverse_proxy_certificate_file: /none.crt, reverse_proxy_key_file: /none.key",
        "found no file /none.crt",
    ),
    ("ssh_trusted_user_ca_keys: [nonsense]", "found the key 'nonsense'"),
    ("nfs_client_mounts: [{path: /etc, server: a, export: /b}]", "found path '/etc'"),
]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Say of each node what was refused, by one run: each has one mistake."""
    inventory = tmp_path_factory.mktemp("mistakes") / "hosts.yml"
    hosts = ", ".join(f"node{number}: {{{variable}}}" for number, (variable, _) in enumerate(MISTAKES))
    inventory.write_text(f"gpu_nodes: {{hosts: {{{hosts}}}}}\n")
    result = validate(str(inventory))
    assert result.returncode != 0
    return dict(re.findall(r"^fatal: \[(\w+)\]: FAILED!(.*?)(?=^fatal:|^PLAY RECAP)", result.stdout, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize(("node", "message"), [(f"node{number}", message) for number, (_, message) in enumerate(MISTAKES)])
def test_a_mistyped_variable_is_refused(said: dict[str, str], node: str, message: str) -> None:
    assert message in said[node]


def test_a_variable_that_needs_a_fact_of_the_node_is_left_to_the_role(inventory: Path) -> None:
    inventory.write_text("gpu_nodes: {hosts: {a: {gpu_readiness_timeout_s: \"{{ ansible_facts['processor_count'] }}\"}}}\n")
    assert validate(str(inventory)).returncode == 0
