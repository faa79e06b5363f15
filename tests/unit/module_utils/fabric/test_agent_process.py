"""A node's agent as a process: it is heard, and ended, whatever it does."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.agent_process import AgentEndedError, AgentProcess, container_command

ECHO = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"


@contextmanager
def agent(program: str) -> Iterator[AgentProcess]:
    process = AgentProcess([sys.executable, "-c", program])
    try:
        yield process
    finally:
        process.end()


def test_what_it_says_is_heard_line_by_line() -> None:
    with agent(ECHO) as process:
        assert process.hear(0.05) is None
        process.tell({"a": 1})
        process.tell({"b": "two"})
        assert [process.hear(5), process.hear(5)] == [{"a": 1}, {"b": "two"}]


def test_an_end_is_told_with_its_reason() -> None:
    with agent("raise SystemExit('no such device')") as process, pytest.raises(AgentEndedError, match="exit status 1: no such device"):
        process.hear(10)


def test_foreign_words_are_no_answer() -> None:
    with agent("print('hello', flush=True); input()") as process, pytest.raises(AgentEndedError, match="it said 'hello', expected JSON"):
        process.hear(10)


def test_what_cannot_be_started_is_said() -> None:
    with pytest.raises(AgentEndedError, match="no-such-program could not be started"):
        AgentProcess(["no-such-program"])


def test_one_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.gpu.fleet.plugins.module_utils.fabric.agent_process._PARTING_S", 0.2)
    began = time.monotonic()
    with agent("import time\ntime.sleep(60)"):
        pass
    assert time.monotonic() - began < 30


def test_a_container_gets_the_nodes_network_and_devices() -> None:
    command = container_command("image:1", ["--device", "nvidia.com/gpu=all"], "gpu-fabric-x", Path("/kit"), ["/dev/infiniband"])
    assert command[:2] == ["docker", "run"]
    assert "--interactive" in command  # its input ends with whoever started it
    assert ("--network", "host") in zip(command, command[1:])
    assert ("--device", "/dev/infiniband") in zip(command, command[1:])
    assert ("--env", "NCCL_CUMEM_HOST_ENABLE=0") in zip(command, command[1:])
    assert command[-2:] == ["image:1", "/probe/agent.py"]
