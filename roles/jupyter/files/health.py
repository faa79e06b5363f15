"""Wait until the workspaces do what they are for: Jupyter lets in who has the secret and nobody else, and SSH answers.

Usage: the role adds a call of `main` to this text and sends both to the standard input of `python3 -`: secrets are on no command line.

Each workspace is a dictionary of name, bind_address, jupyter_port, ssh_bind_address, ssh_port, base_url, secret, data and required. Printed
are, as one line of JSON, `host_keys`, the fingerprint of each SSH host key by name, and `others`, what is wrong with those that are not
required, which are not waited for. Where a required one does not answer, what was found, what was expected and the next step are printed;
the exit status is 1 then.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import time


def local(address: str) -> str:
    """Return where to ask for what listens on an address."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104


def jupyter_problem(workspace: dict) -> str:
    """Ask Jupyter's status, which needs the secret, with and without it."""
    address, port = local(workspace["bind_address"]), int(workspace["jupyter_port"])
    for headers, expected in (({"Authorization": f"token {workspace['secret']}"}, (200,)), ({}, (302, 401, 403))):
        connection = http.client.HTTPConnection(address, port, timeout=5)
        try:
            connection.request("GET", f"{workspace['base_url']}api/status", headers=headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as problem:
            return f"Jupyter on {address}:{port}: found {problem or type(problem).__name__}, expected an answer"
        finally:
            connection.close()
        if status not in expected:
            who = "with its secret" if headers else "without the secret"
            return f"Jupyter on {address}:{port} {who}: found status {status}, expected {' or '.join(map(str, expected))}"
    return ""


def ssh_problem(workspace: dict) -> str:
    """Read the SSH server's greeting."""
    address, port = local(workspace["ssh_bind_address"]), int(workspace["ssh_port"])
    try:
        with socket.create_connection((address, port), timeout=5) as connection:
            greeting = connection.recv(64)
    except OSError as problem:
        return f"SSH on {address}:{port}: found {problem or type(problem).__name__}, expected an answer"
    return "" if greeting.startswith(b"SSH-2.0-") else f"SSH on {address}:{port}: found {greeting!r}, expected SSH-2.0"


def run(*command: str) -> str:
    """Return what a command prints, or nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def journal(name: str) -> str:
    """Return the last lines that the workspace wrote."""
    lines = run("journalctl", f"--unit=jupyter-workspace-{name}.service", "--lines=12", "--no-pager", "--output=cat")
    return " | ".join(lines.splitlines())


def host_key(workspace: dict) -> str:
    """Return the fingerprint of the workspace's SSH host key, such as SHA256:..."""
    words = run("ssh-keygen", "-l", "-f", f"{workspace['data']}/ssh/ssh_host_ed25519_key.pub").split()
    return words[1] if len(words) > 1 else ""


def problems_of(workspaces: list) -> dict:
    """Ask each, and return what is wrong by name."""
    found = {workspace["name"]: jupyter_problem(workspace) or ssh_problem(workspace) for workspace in workspaces}
    return {name: problem for name, problem in found.items() if problem}


def main(timeout_s: float, workspaces: list) -> int:
    """Ask those that are required again and again until all are well or the time is over, and then the others once."""
    required = [workspace for workspace in workspaces if workspace["required"]]
    deadline = time.monotonic() + timeout_s
    while True:
        problems = problems_of(required)
        if not problems or time.monotonic() >= deadline:
            break
        time.sleep(0.25)
    for name, problem in problems.items():
        print(  # noqa: T201
            f"workspace {name}: {problem} within {timeout_s:g} s. "
            f"Next: journalctl -u jupyter-workspace-{name} on the node. Its last lines: {journal(name)}"
        )
    if problems:
        return 1
    others = problems_of([workspace for workspace in workspaces if not workspace["required"]])
    told = [f"workspace {name}: {problem}. Next: journalctl -u jupyter-workspace-{name} on the node" for name, problem in others.items()]
    print(json.dumps({"host_keys": {workspace["name"]: host_key(workspace) for workspace in workspaces}, "others": told}))  # noqa: T201
    return 0
