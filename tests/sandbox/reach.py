"""Ways into a node of the sandbox that a test needs besides Ansible's: its processes, and its network from outside."""

from __future__ import annotations

import os
import subprocess

SANDBOX = os.environ.get("SANDBOX_NAME", "sandbox")


def inside(node: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a node."""
    return subprocess.run(["docker", "exec", f"{SANDBOX}-{node}", *command], capture_output=True, text=True, check=False)


def on_network(node: str, *command: str) -> None:
    """Run a command of this machine in a node's network."""
    pid = subprocess.run(
        ["docker", "inspect", "--format", "{{.State.Pid}}", f"{SANDBOX}-{node}"], capture_output=True, text=True, check=True
    ).stdout.strip()
    subprocess.run(["nsenter", "--target", pid, "--net", *command], check=True)
