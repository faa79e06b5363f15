"""The programs that the role brings: what looks at a node, and what asks a workspace."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

FILES = Path(__file__).parents[4] / "roles/jupyter/files"


def load(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(f"jupyter_{name}", FILES / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


look, health = load("look"), load("health")

# Printed by systemd 252.
UNITS = """\
ExecMainStatus=0
Id=jupyter-workspace-alice.service
ActiveState=active
UnitFileState=enabled

ExecMainStatus=1
Id=jupyter-workspace-bob.service
ActiveState=failed
UnitFileState=disabled

ExecMainStatus=42
Id=jupyter-workspace-carol.service
ActiveState=inactive
UnitFileState=enabled

ExecMainStatus=42
Id=jupyter-workspace-dave.service
ActiveState=active
UnitFileState=enabled
"""


def test_units() -> None:
    assert look.parse_units(UNITS) == {
        "jupyter-workspace-alice.service": "active enabled",
        "jupyter-workspace-bob.service": "failed disabled",
        "jupyter-workspace-carol.service": "asleep enabled",
        "jupyter-workspace-dave.service": "active enabled",
    }
    assert look.parse_units("") == {}


def test_a_file_is_known_by_mode_and_contents(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    token.chmod(0o600)
    assert look.fingerprint(token) == "0600 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"


# Printed by nvidia-smi of driver 550 and 570.
GPUS = """\
GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-8a1f0c9e-0000-4b5e-9d4e-1c2d3e4f5a6b)
  MIG 1g.10gb     Device  0: (UUID: MIG-5f3e0d1c-0000-5a6b-8c7d-9e0f1a2b3c4d)
  MIG 2g.20gb     Device  1: (UUID: MIG-6f3e0d1c-0000-5a6b-8c7d-9e0f1a2b3c4d)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-9b1f0c9e-0000-4b5e-9d4e-1c2d3e4f5a6b)
"""


def test_gpus_and_their_parts() -> None:
    assert look.parse_gpus(GPUS) == [
        {
            "index": 0,
            "uuid": "GPU-8a1f0c9e-0000-4b5e-9d4e-1c2d3e4f5a6b",
            "mig": [
                {"index": "0:0", "uuid": "MIG-5f3e0d1c-0000-5a6b-8c7d-9e0f1a2b3c4d"},
                {"index": "0:1", "uuid": "MIG-6f3e0d1c-0000-5a6b-8c7d-9e0f1a2b3c4d"},
            ],
        },
        {"index": 1, "uuid": "GPU-9b1f0c9e-0000-4b5e-9d4e-1c2d3e4f5a6b", "mig": []},
    ]
    assert look.parse_gpus("No devices found.\n") == []


# /proc/net/tcp and tcp6 of a little-endian machine: the second is a connection, not a listener.
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:22B8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:22B8 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0
   1: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0
"""


@pytest.mark.skipif(sys.byteorder != "little", reason="the text is of a little-endian machine")
def test_what_listens() -> None:
    assert look.parse_listening(TCP) == [["127.0.0.1", 8888]]
    assert look.parse_listening(TCP6) == [["::", 22], ["::1", 8080]]
    assert look.parse_listening("") == []


def test_whose_home_directories_are(tmp_path: Path) -> None:
    for place in ("w/alice/home", "w/empty", "elsewhere/home"):
        (tmp_path / place).mkdir(parents=True)
    found = look.homes(tmp_path / "w", [f"{tmp_path}/elsewhere", f"{tmp_path}/new"])
    assert found == {key: [os.getuid(), os.getgid()] for key in (f"{tmp_path}/w/alice", f"{tmp_path}/elsewhere")}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_who_could_put_something_else_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "real/home").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real/home")
    os.chown(tmp_path / "real", 1001, 1001)
    os.chown(tmp_path / "link", 1002, 1002, follow_symlinks=False)
    assert look.owners(f"{tmp_path}/real/home/new/data") == {f"{tmp_path}/real": 1001}
    assert look.owners(f"{tmp_path}/link/new") == {f"{tmp_path}/link": 1002, f"{tmp_path}/real": 1001}
    assert look.owners(f"{tmp_path}/other") == {}


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    assert look.is_missing(f"{tmp_path}/no")
    assert not look.is_missing(str(tmp_path))
    assert look.free_bytes(f"{tmp_path}/not/yet") > 0


def test_a_node_without_anything_is_seen_as_such(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-", json.dumps({"users": ["root", "nobody-of-this-name"], "paths": [], "data": [], "directory": str(tmp_path)})],
        input=(FILES / "look.py").read_text(),
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    seen = json.loads(done.stdout)
    assert seen.pop("users") == {"root": [0, 0]}
    assert all(isinstance(port, int) for _, port in seen.pop("listening"))
    assert 0 in seen.pop("numbers")
    assert seen.pop("no_gpus").startswith("nvidia-smi -L: ")
    nothing = {
        "units": {},
        "files": {},
        "containers": [],
        "docker": {},
        "gpus": [],
        "claims": {},
        "homes": {},
        "missing": [],
        "owners": {},
        "free_bytes": {},
    }
    assert seen == {**nothing, "hub": False}


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ("echo 'GPU 0: NVIDIA H100 (UUID: GPU-aaaaaaaa)'", ""),
        ("echo Driver/library version mismatch; exit 18", "nvidia-smi -L ended with status 18: Driver/library version mismatch"),
        ("echo No devices found.", "nvidia-smi -L ended with status 0: No devices found."),
    ],
)
def test_why_no_gpus_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, why: str) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{says}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    gpus, found = look.gpu_list()
    assert (found, bool(gpus)) == (why, not why)


class Jupyter(BaseHTTPRequestHandler):
    """What JupyterLab answers: 403 without the token, 200 with it."""

    def do_GET(self) -> None:
        assert self.path == "/alice/api/status"
        self.send_response(200 if self.headers.get("Authorization") == "token right" or self.server.is_open else 403)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Jupyter) as running:
        running.is_open = False
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def one(port: int, **changes: Any) -> dict:
    places = {"bind_address": "127.0.0.1", "jupyter_port": port, "ssh_bind_address": "0.0.0.0", "ssh_port": port}
    return {"name": "alice", "base_url": "/alice/", "secret": "right", "data": "/nowhere", "required": True, **places, **changes}


def test_jupyter_is_well_when_only_the_secret_opens_it(server: ThreadingHTTPServer) -> None:
    assert health.jupyter_problem(one(server.server_port)) == ""


def test_a_secret_that_is_refused(server: ThreadingHTTPServer) -> None:
    problem = health.jupyter_problem(one(server.server_port, secret="wrong"))
    assert "with its secret: found status 403, expected 200" in problem
    assert "wrong" not in problem


def test_jupyter_that_is_open_to_all_is_not_well(server: ThreadingHTTPServer) -> None:
    server.is_open = True
    problem = health.jupyter_problem(one(server.server_port))
    assert "without the secret: found status 200, expected 302 or 401 or 403" in problem


def test_a_server_that_is_not_ssh(server: ThreadingHTTPServer) -> None:
    assert "SSH on 127.0.0.1" in health.ssh_problem(one(server.server_port))


def test_nothing_listens() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Jupyter) as closed:
        port = closed.server_port
    assert "Connection refused" in health.jupyter_problem(one(port))
    assert "Connection refused" in health.ssh_problem(one(port))


def test_a_workspace_that_does_not_answer_fails_within_its_time(capsys: pytest.CaptureFixture) -> None:
    assert health.main(0.1, [one(1, name="nobody")]) == 1
    said = capsys.readouterr().out
    assert said.startswith("workspace nobody: Jupyter on 127.0.0.1:1: found ")
    assert "Next: journalctl -u jupyter-workspace-nobody" in said


def test_others_are_told_and_not_waited_for(capsys: pytest.CaptureFixture) -> None:
    assert health.main(60, [one(1, name="other", required=False)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["host_keys"] == {"other": ""}
    assert said["others"][0].startswith("workspace other: Jupyter on 127.0.0.1:1: found ")
    assert said["others"][0].endswith("Next: journalctl -u jupyter-workspace-other on the node")


def test_no_workspaces_are_well() -> None:
    assert health.main(0, []) == 0
