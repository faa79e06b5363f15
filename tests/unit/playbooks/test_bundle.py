"""What the bundle's playbooks refuse before they connect to anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """Name this machine as the one node; nothing in these tests gets as far as to change it."""
    path = tmp_path / "hosts.yml"
    here = "{ansible_connection: local, ansible_python_interpreter: '{{ ansible_playbook_python }}'}"
    path.write_text(f"gpu_nodes: {{hosts: {{node-a: {here}}}}}\n")
    return path


def run(playbook: str, inventory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PLAYBOOK, playbook, "-i", str(inventory), *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_bundle_is_made_somewhere(inventory: Path) -> None:
    result = run("playbooks/bundle.yml", inventory)
    assert result.returncode != 0
    assert "Found no place for the bundle" in result.stdout


def test_a_bundle_that_is_not_there_stops_the_run_before_any_change(inventory: Path, tmp_path: Path) -> None:
    result = run("site.yml", inventory, "-e", f"bundle={tmp_path}/none.tar", "--tags", "bundle")
    assert result.returncode != 0
    assert f"Found no bundle at {tmp_path}/none.tar" in result.stdout
    assert "changed=0" in result.stdout
    assert "PLAY [Have the bundle on every node]" not in result.stdout


def test_a_mistyped_fingerprint_is_refused(inventory: Path) -> None:
    inventory.write_text("gpu_nodes: {hosts: {node-a: {bundle_fingerprnt: 'AB'}}}\n")
    result = run("playbooks/validate.yml", inventory)
    assert result.returncode != 0
    assert "did you mean bundle_fingerprint?" in result.stdout
