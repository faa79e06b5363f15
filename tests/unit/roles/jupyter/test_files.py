"""The programs that the role brings: what looks at a node, what asks a workspace, and what runs inside it."""

from __future__ import annotations

import importlib.util
import json
import shlex
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


look, health, workspace = load("look"), load("health"), load("workspace")

# Printed by systemd 252.
UNITS = """\
Id=jupyter-workspace-alice.service
ActiveState=active
UnitFileState=enabled

Id=jupyter-workspace-bob.service
ActiveState=failed
UnitFileState=disabled
"""


def test_units() -> None:
    assert look.parse_units(UNITS) == {
        "jupyter-workspace-alice.service": "active enabled",
        "jupyter-workspace-bob.service": "failed disabled",
    }
    assert look.parse_units("") == {}


def test_a_file_is_known_by_mode_and_contents(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    token.chmod(0o600)
    assert look.fingerprint(token) == "0600 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"


def test_a_node_without_anything_is_seen_as_such(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-", "gpu-fleet/workspace"],
        input=(FILES / "look.py").read_text(),
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {"units": {}, "files": {}, "containers": [], "images": [], "docker": {}}


class Jupyter(BaseHTTPRequestHandler):
    """What JupyterLab answers: 403 without the token, 200 with it."""

    def do_GET(self) -> None:
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


def test_jupyter_is_well_when_only_the_token_opens_it(server: ThreadingHTTPServer) -> None:
    assert health.jupyter_problem("127.0.0.1", server.server_port, "right") == ""


def test_a_token_that_is_refused(server: ThreadingHTTPServer) -> None:
    problem = health.jupyter_problem("127.0.0.1", server.server_port, "wrong")
    assert "with its token: found status 403, expected 200" in problem
    assert "wrong" not in problem


def test_jupyter_that_is_open_to_all_is_not_well(server: ThreadingHTTPServer) -> None:
    server.is_open = True
    problem = health.jupyter_problem("127.0.0.1", server.server_port, "right")
    assert "without a token: found status 200, expected 302 or 401 or 403" in problem


def test_a_server_that_is_not_ssh(server: ThreadingHTTPServer) -> None:
    assert "SSH on 127.0.0.1" in health.ssh_problem("127.0.0.1", server.server_port)


def test_nothing_listens() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Jupyter) as closed:
        port = closed.server_port
    assert "Connection refused" in health.jupyter_problem("127.0.0.1", port, "right")
    assert "Connection refused" in health.ssh_problem("127.0.0.1", port)


def test_a_workspace_that_does_not_answer_fails_within_its_time(capsys: pytest.CaptureFixture) -> None:
    one = {"name": "nobody", "bind_address": "0.0.0.0", "jupyter_port": 1, "ssh_port": 2}
    assert health.main(0.1, [one]) == 1
    said = capsys.readouterr().out
    assert said.startswith("workspace nobody: found ")
    assert "Next: journalctl -u jupyter-workspace-nobody" in said


def test_no_workspaces_are_well() -> None:
    assert health.main(0, []) == 0


ENVIRONMENT = {
    "PATH": "/opt/venv/bin:/usr/bin",
    "LD_LIBRARY_PATH": "/usr/local/nvidia/lib",
    "MOTTO": """it's "fine" \\o/""",
    "LINES": "a\nb",
    "HOME": "/root",
    "HOSTNAME": "x",
    "WORKSPACE_USER": "alice",
}


def test_a_login_gets_what_the_image_sets_and_nothing_of_roots() -> None:
    assert sorted(workspace.passed_on(ENVIRONMENT)) == ["LD_LIBRARY_PATH", "MOTTO", "PATH"]


def test_sshd_lets_in_one_user_by_key_only() -> None:
    lines = workspace.sshd_configuration("alice", workspace.passed_on(ENVIRONMENT)).splitlines()
    closed = {"PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin no"}
    assert {"AllowUsers alice", "AuthenticationMethods publickey", *closed} <= set(lines)
    set_env = [line for line in lines if line.startswith("SetEnv")]
    assert set_env == ["""SetEnv "LD_LIBRARY_PATH=/usr/local/nvidia/lib" "MOTTO=it's \\"fine\\" \\\\o/" "PATH=/opt/venv/bin:/usr/bin\""""]
    assert "SetEnv" not in workspace.sshd_configuration("alice", {})


def test_a_login_shell_gets_the_same() -> None:
    environment = workspace.passed_on(ENVIRONMENT)
    script = workspace.profile(environment) + "".join(f'printf "%s\\n" "${name}"\n' for name in environment)
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == list(environment.values())
    assert shlex.quote(ENVIRONMENT["MOTTO"]) in script


@pytest.mark.parametrize(("first", "second", "status"), [("exit 3", "sleep 60", 1), ("sleep 60", "exit 0", 1)])
def test_when_one_service_ends_so_does_the_other(first: str, second: str, status: int) -> None:
    program = f"""
import importlib.util, subprocess, sys
specification = importlib.util.spec_from_file_location("workspace", {str(FILES / "workspace.py")!r})
workspace = importlib.util.module_from_spec(specification)
specification.loader.exec_module(workspace)
services = {{name: subprocess.Popen(["/bin/sh", "-c", f"exec {{command}}" if command.startswith("sleep") else command])
            for name, command in (("sshd", {first!r}), ("jupyter", {second!r}))}}
sys.exit(workspace.watch(services))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == status
    assert done.stdout.startswith(f"workspace: {'sshd' if first.startswith('exit') else 'jupyter'} ended with ")


def test_being_asked_to_end_is_no_failure() -> None:
    program = f"""
import importlib.util, os, signal, subprocess, sys, threading
specification = importlib.util.spec_from_file_location("workspace", {str(FILES / "workspace.py")!r})
workspace = importlib.util.module_from_spec(specification)
specification.loader.exec_module(workspace)
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
sys.exit(workspace.watch({{name: subprocess.Popen(["sleep", "60"]) for name in ("sshd", "jupyter")}}))
"""
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=30).returncode == 0
