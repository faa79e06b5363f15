"""The hub's configuration, made of settings: what users' servers are told. JupyterHub is on nodes alone, so a double takes the options."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

PATH = Path(__file__).parents[4] / "roles/jupyter_hub/files/jupyterhub_config.py"
SETTINGS = {
    "authenticator": "native",
    "accounts": {},
    "users": {"ada": {"admin": True}},
    "image": "image",
    "data_directory": "/srv/workspaces",
    "datasets": ["/data/imagenet", "/data/{odd}"],
    "idle_s": 3600,
    "start_timeout_s": 120,
    "url": "https://node/",
    "port": 8081,
    "network": "jupyterhub",
    "gateway": "172.31.250.1",
}


class Section:
    """Takes every option, and has every section."""

    def __getattr__(self, name: str) -> Any:
        value = Section()
        setattr(self, name, value)
        return value


@pytest.fixture
def spawner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "settings.json").write_text(json.dumps(SETTINGS), encoding="utf-8")
    program = PATH.read_text(encoding="utf-8").replace("/etc/jupyterhub/settings.json", f"{tmp_path}/settings.json")
    forms = SimpleNamespace(profiles_form=None, chosen_from_form=None)
    double = SimpleNamespace(FixedRoutes=None, InventoryAuthenticator=None, WorkspaceSpawner=forms)
    monkeypatch.setitem(sys.modules, "hub", double)
    monkeypatch.setattr(sys, "path", list(sys.path))
    config = Section()
    exec(compile(program, str(PATH), "exec"), {"get_config": lambda: config, "__file__": str(PATH)})
    return config.WorkspaceSpawner


def test_a_data_set_is_mounted_where_it_is_and_never_made(spawner: Any) -> None:
    mount = {"type": "bind", "read_only": True, "propagation": "rslave"}
    filled_in = [{**each, "source": each["source"].format(), "target": each["target"].format()} for each in spawner.mounts]
    assert filled_in == [{**mount, "source": path, "target": path} for path in SETTINGS["datasets"]]
    assert not any("/data" in path for path in spawner.volumes)


def test_a_silent_terminal_is_looked_into_before_it_is_closed(spawner: Any) -> None:
    assert "--TerminalsExtensionApp.terminal_manager_class=workspace_terminals.Terminals" in spawner.args
    assert "--TerminalManager.cull_inactive_timeout=3600" in spawner.args
