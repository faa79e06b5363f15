"""A node's agent (`files/probe/agent.py`) as its module sees it: a process that talks in lines of JSON and leaves nothing behind."""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Deadline, run
from ansible_collections.gpu.fleet.plugins.module_utils.gpu_container import NCCL_IN_A_CONTAINER

Message = dict[str, Any]

_PARTING_S = 5.0
_CLEAN_UP_S = 20.0
_COMPLAINT = 300


class AgentEndedError(RuntimeError):
    """The agent's output ended; the message says what is known of why."""


class AgentProcess:
    """A running agent."""

    def __init__(self, command: Sequence[str], container: str = "") -> None:
        """Start it; `container` is the name of the container that the command runs it in. Raises AgentEndedError."""
        self._container, self._rest = container, b""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the agent
        try:
            self._process = subprocess.Popen(  # noqa: S603 - a list of words, no shell
                list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, start_new_session=True, bufsize=0
            )
        except OSError as error:
            self._errors.close()
            raise AgentEndedError(f"{command[0]} could not be started: {error.strerror or error}") from None

    def tell(self, message: Message) -> None:
        """Say something to it."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe, for the type checker
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
        except BrokenPipeError:
            raise AgentEndedError(self._complaint()) from None

    def hear(self, seconds: float) -> Message | None:
        """Wait for what it says next; None where it says nothing in that time. Raises AgentEndedError."""
        until = time.monotonic() + seconds
        assert self._process.stdout is not None  # noqa: S101
        while b"\n" not in self._rest:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                return None
            chunk = os.read(self._process.stdout.fileno(), 1 << 16)
            if not chunk:
                raise AgentEndedError(self._complaint())
            self._rest += chunk
        line, self._rest = self._rest.split(b"\n", 1)
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            raise AgentEndedError(f"it said {line[:80].decode(errors='replace')!r}, expected JSON")
        return message

    def end(self) -> None:
        """End it: it goes by itself once its input ends, and is killed where it does not."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()
        try:
            self._process.wait(_PARTING_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)
            self._process.wait()
        if self._container:
            run(["docker", "rm", "--force", self._container], Deadline(_CLEAN_UP_S))
        self._errors.close()

    def _complaint(self) -> str:
        try:
            status = self._process.wait(_PARTING_S)
        except subprocess.TimeoutExpired:
            return "it closed its output and goes on"
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"exit status {status}: {lines[-1][:_COMPLAINT] if lines else 'it said nothing'}"


def native_command(python: str, folder: Path) -> list[str]:
    """Build the command that runs the agent with a Python of the node."""
    return [python, str(folder / "agent.py")]


def container_command(image: str, gpus: Sequence[str], name: str, folder: Path, devices: Sequence[str]) -> list[str]:
    """Build the command that runs it in the image: with the node's network, shared memory, GPUs and other devices."""
    return [
        *("docker", "run", "--interactive", "--rm", "--name", name, "--label", "gpu.fleet=fabric"),
        *("--pull", "never", "--network", "host", "--ipc", "host"),
        *gpus,
        *NCCL_IN_A_CONTAINER,
        *(("--ulimit", "memlock=-1") if devices else ()),  # what adapters write to must not be swapped out
        *(word for device in devices for word in ("--device", device)),
        *("--volume", f"{folder}:/probe:ro", "--entrypoint", "python3", image, "/probe/agent.py"),
    ]
