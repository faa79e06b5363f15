"""What is built from the tree works without the tree: the collection's archive and the wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory into which the built wheel was installed, alone."""
    there = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", there, ROOT], check=True)
    (wheel,) = there.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--no-compile", "--target", there / "site", wheel], check=True)
    return there / "site"


def elsewhere(installed: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run an Ansible command in a directory that knows nothing of this tree."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")} | {"PYTHONPATH": str(installed)}
    return subprocess.run(
        [BIN / command[0], *command[1:]], cwd=installed.parent, env=environment, capture_output=True, text=True, check=False
    )


def test_the_wheel_documents_the_module(installed: Path) -> None:
    result = elsewhere(installed, "ansible-doc", "gpu.fleet.gpu_readiness")
    assert result.returncode == 0, result.stderr
    for word in ("level", "expectation", "runtime", "image", "timeout_s", "verdict", "findings"):
        assert word in result.stdout


def test_the_wheel_runs_the_playbook_from_any_directory(installed: Path) -> None:
    inventory = installed.parent / "hosts.yml"
    inventory.write_text("gpu_nodes: {hosts: {node-a: {jupyter_workspace: []}}}\n")
    result = elsewhere(installed, "ansible-playbook", "gpu.fleet.site", "-i", str(inventory))
    assert result.returncode != 0
    assert "did you mean jupyter_workspaces?" in result.stdout + result.stderr


def test_the_collection_holds_what_users_need_and_no_more(tmp_path: Path) -> None:
    subprocess.run(
        [BIN / "ansible-galaxy", "collection", "build", "--output-path", tmp_path, ROOT], check=True, cwd=tmp_path, capture_output=True
    )
    (archive,) = tmp_path.glob("gpu-fleet-*.tar.gz")
    with tarfile.open(archive) as collection:
        names = collection.getnames()
    wanted = {"playbooks/site.yml", "roles/ssh/tasks/main.yml", "plugins/modules/gpu_readiness.py", "inventories/gpu_fleet/hosts.yml"}
    assert wanted <= set(names)
    assert not [name for name in names if name.startswith(("tests", "molecule", ".", "inventories/sandbox", "reports", "dist"))]
