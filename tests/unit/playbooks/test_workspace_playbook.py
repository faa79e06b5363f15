"""What playbooks/workspace.yml refuses before it connects to a node. The limit keeps it from doing so."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
# The node has a variable of the name of a word, which is not what was said.
INVENTORY = """\
gpu_nodes:
  hosts: {a: {jupyter_workspaces: [{name: alice, user: alice, authorized_keys: ["{{ key }}"]}], key: x, memory: 7}}
controller: {hosts: {localhost: {ansible_connection: local, memory: 7}}}
"""


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "hosts.yml"
    path.write_text(INVENTORY)
    (tmp_path / "key.pub").write_text("# mine\nssh-ed25519 AAAA me\n")
    (tmp_path / ".workspaces").mkdir()
    (tmp_path / ".workspaces/a.yml").write_text("[{name: bob, user: bob, authorized_keys: [old], gpus: [0]}]\n")
    return path


def workspace(inventory: Path, *words: str, playbook: str | Path = "playbooks/workspace.yml") -> subprocess.CompletedProcess[str]:
    arguments = [argument for word in words for argument in ("-e", word)]
    return subprocess.run(
        [PLAYBOOK, playbook, "-i", inventory, "--limit=localhost", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "words",
    [("name=alice",), ("name=bob",), ('{"name": "new", "environment": {"A": "1"}, "groups": [3000]}', "keys={{ inventory_dir }}/key.pub")],
)
def test_it_takes(inventory: Path, words: tuple[str, ...]) -> None:
    result = workspace(inventory, *words)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "found name ''"),
        (("name=new", "node=b"), "node 'b'"),
        (("name=nobody", "state=absent"), "of bob"),
        (("name=alice", "memory=1g"), "found memory for alice, which jupyter_workspaces of the inventory has"),
        (("name=new", "gpu=0"), "did you mean -e gpus="),
        (("name=new", "keys=/nowhere.pub"), "found no public key"),
    ],
)
def test_it_refuses(inventory: Path, words: tuple[str, ...], says: str) -> None:
    result = workspace(inventory, *words)
    assert result.returncode != 0
    assert says in result.stdout + result.stderr
    assert "Nothing was changed" in result.stdout + result.stderr


def test_each_is_written_down_in_a_file_of_its_own(inventory: Path, tmp_path: Path) -> None:
    """Two people who make one at a time must not undo each other's."""
    write = {"gpu.fleet.files": {"files": "{{ __written_down }}"}}
    play = {"hosts": "localhost", "gather_facts": False, "vars_files": [str(ROOT / "playbooks/vars/workspace.yml")], "tasks": [write]}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    python = f"ansible_python_interpreter={sys.executable}"
    for words in (("name=carol", "gpus=none", f"keys={tmp_path}/key.pub"), ("name=bob", "memory=1g"), ("name=alice",)):
        result = workspace(inventory, *words, python, playbook=tmp_path / "play.yml")
        assert result.returncode == 0, result.stdout + result.stderr
    kept = {path.relative_to(tmp_path / ".workspaces").as_posix(): path for path in (tmp_path / ".workspaces").rglob("*.yml")}
    assert {name: yaml.safe_load(path.read_text()) for name, path in kept.items()} == {
        "a.yml": [],
        "a/bob.yml": [{"name": "bob", "user": "bob", "authorized_keys": ["old"], "gpus": [0], "memory": "1g"}],
        "a/carol.yml": [{"name": "carol", "user": "carol", "authorized_keys": ["ssh-ed25519 AAAA me"], "gpus": []}],
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept.values()} == {0o600}
