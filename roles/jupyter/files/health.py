"""Wait until every workspace does what it is for: Jupyter lets in who has the token and nobody else, and SSH answers.

Usage: python3 - TIMEOUT_S WORKSPACES < health.py     (WORKSPACES: JSON list of name, bind_address, jupyter_port, ssh_port)

The tokens are read on the node and are not printed. Where one does not answer, it is told what was found, what was expected and the next
step, and the exit status is 1.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from pathlib import Path


def jupyter_problem(address: str, port: int, token: str) -> str:
    """Ask Jupyter's status, which needs the token, with and without it."""
    for headers, expected in (({"Authorization": f"token {token}"}, (200,)), ({}, (302, 401, 403))):
        connection = http.client.HTTPConnection(address, port, timeout=5)
        try:
            connection.request("GET", "/api/status", headers=headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as problem:
            return f"Jupyter on {address}:{port}: found {problem or type(problem).__name__}, expected an answer"
        finally:
            connection.close()
        if status not in expected:
            who = "with its token" if headers else "without a token"
            return f"Jupyter on {address}:{port} {who}: found status {status}, expected {' or '.join(map(str, expected))}"
    return ""


def ssh_problem(address: str, port: int) -> str:
    """Read the SSH server's greeting."""
    try:
        with socket.create_connection((address, port), timeout=5) as connection:
            greeting = connection.recv(64)
    except OSError as problem:
        return f"SSH on {address}:{port}: found {problem or type(problem).__name__}, expected an answer"
    return "" if greeting.startswith(b"SSH-2.0-") else f"SSH on {address}:{port}: found {greeting!r}, expected SSH-2.0"


def problem_of(workspace: dict) -> str:
    """Return what is wrong with one workspace, or nothing."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(workspace["bind_address"], workspace["bind_address"])  # noqa: S104
    try:
        token = Path(f"/etc/jupyter-workspaces/{workspace['name']}/token").read_text(encoding="utf-8")
    except OSError as problem:
        return f"found {problem}, expected the workspace's token"
    return jupyter_problem(address, int(workspace["jupyter_port"]), token) or ssh_problem(address, int(workspace["ssh_port"]))


def journal(name: str) -> str:
    """Return the last lines that the workspace wrote."""
    command = ["journalctl", f"--unit=jupyter-workspace-{name}.service", "--lines=12", "--no-pager", "--output=cat"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return " | ".join(done.stdout.splitlines())


def main(timeout_s: float, workspaces: list) -> int:
    """Ask all of them again and again until all are well or the time is over."""
    deadline = time.monotonic() + timeout_s
    while True:
        problems = {workspace["name"]: problem for workspace in workspaces for problem in [problem_of(workspace)] if problem}
        if not problems:
            return 0
        if time.monotonic() >= deadline:
            break
        time.sleep(0.25)
    for name, problem in problems.items():
        print(  # noqa: T201
            f"workspace {name}: {problem} within {timeout_s:g} s. "
            f"Next: journalctl -u jupyter-workspace-{name} on the node. Its last lines: {journal(name)}"
        )
    return 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), json.loads(sys.argv[2])))
