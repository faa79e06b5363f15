"""What the role writes down for the hub, templated by Ansible itself; no node is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[4]
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
USER = {"admin": False, "gpus": 2, "uid": 20001, "gid": 20001, "groups": [], "address": "172.31.250.2"}
PEOPLE = [{**USER, "name": "ada", "password": "of the inventory: ada"}, {**USER, "name": "grace", "password": ""}]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    place = tmp_path_factory.mktemp("settings")
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars_files": [str(ROOT / "roles/jupyter_hub/defaults/main.yml"), str(ROOT / "roles/jupyter_hub/vars/main.yml")],
        "vars": {"__jupyter_hub_people": PEOPLE, "workspace_image_reference": "image", "jupyter_hub_secrets_directory": str(place)},
        "tasks": [
            {
                "ansible.builtin.set_fact": {"__jupyter_hub_hashes": ["hash of ada's", "hash of grace's"]},
            },
            {
                "ansible.builtin.copy": {
                    "content": "{{ __jupyter_hub_settings | to_json }}",
                    "dest": f"{place}/settings.json",
                    "mode": "0600",
                }
            },
        ],
    }
    (place / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    done = subprocess.run([PLAYBOOK, place / "play.yml"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads((place / "settings.json").read_text(encoding="utf-8"))
    return told


def test_no_password_is_written_down(settings: dict[str, Any]) -> None:
    assert "of the inventory" not in json.dumps(settings)
    assert settings["accounts"] == {"ada": "hash of ada's", "grace": "hash of grace's"}


def test_of_each_user_the_hub_is_told_what_it_asks_for(settings: dict[str, Any]) -> None:
    assert settings["users"] == {name: {**USER, "name": name} for name in ("ada", "grace")}
