"""Three agents on this machine, with PyTorch and Gloo for real: they measure, lose one, go on, and leave nothing behind."""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.fabric import lead, node

pytest.importorskip("torch")

AGENT = Path(__file__).parents[4] / "roles/gpu_readiness/files/probe/agent.py"
NODES = ["a", "b", "c"]


class Agent:
    """One agent, as its module starts it."""

    def __init__(self, node: str, port: int) -> None:
        self.process = subprocess.Popen([sys.executable, str(AGENT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        job = {
            "node": node,
            "meeting": ["127.0.0.1", port],
            "device": "cpu",
            "meet_s": 60,
            "seconds": 120,
            "interface": "",
            "neighbours": [other for other in NODES if other != node],
        }
        self.tell({**job, "names": NODES} if node == NODES[0] else job)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream
            stream.close()

    def tell(self, message: dict[str, Any]) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def hear(self, key: str) -> Any:
        assert self.process.stdout
        for line in self.process.stdout:
            message = json.loads(line)
            if key in message:
                return message[key]
        raise AssertionError(f"the agent ended without {key}")

    def measure(self, *groups: list[str], limit_s: float = 20) -> dict[str, Any]:
        order = {"groups": [{"nodes": group, "rail": ""} for group in groups]}
        self.tell({**order, "bytes": 1 << 20, "measure_s": 0.1, "limit_s": limit_s})
        told: dict[str, Any] = self.hear("told")
        return told


@pytest.fixture
def agents() -> Iterator[dict[str, Agent]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = {node: Agent(node, port) for node in NODES}
    try:
        yield running
    finally:
        for agent in running.values():
            agent.end()


def children(pid: int) -> set[int]:
    """All processes that a process has started, and theirs."""
    own = {int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()}
    return own.union(*(children(child) for child in own))


def test_a_fleet_measures_loses_a_node_goes_on_and_leaves_nothing_behind(agents: dict[str, Agent]) -> None:
    first = agents["a"]
    assert first.process.stdout
    heard = next(message for line in first.process.stdout if "met" in (message := json.loads(line)))
    met = heard["met"]
    assert heard["knocked"] == {node: {other: "" for other in NODES if other != node} for node in NODES}
    assert set(met) == set(NODES)
    assert met["b"]["ranks"] == 1
    assert met["b"]["interface"] == "lo"
    assert {type(met["b"][key]) for key in ("rails", "verbs")} == {list, bool}

    together = first.measure(NODES)
    assert all(told["busbw_gb_s"] > 0 and told["correct"] and told["transport"] == "gloo" for told in together.values())
    assert set(first.measure(["b", "c"])) == {"b", "c"}

    os.kill(agents["c"].process.pid, signal.SIGSTOP)
    without = first.measure(NODES, limit_s=2)
    assert "c" not in without  # it told nothing: that is the evidence
    again = first.measure(["a", "b"])
    assert all(told["busbw_gb_s"] > 0 for told in again.values())

    left = children(first.process.pid) | children(agents["b"].process.pid)
    assert left
    assert first.process.stdin
    first.process.stdin.close()  # whoever started it is gone
    assert first.hear("end") == "its input ended"
    assert "cannot be reached" in agents["b"].hear("end")
    for agent in (first, agents["b"]):
        assert agent.process.wait(10) == 0
    until = time.monotonic() + 5
    while time.monotonic() < until and any(Path(f"/proc/{pid}").exists() for pid in left):
        time.sleep(0.05)
    assert not [pid for pid in left if Path(f"/proc/{pid}").exists()]


def test_who_ends_what_hangs_still_tells_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node ends its processes, then the meeting place gives up on it, and then whoever leads on the meeting place."""
    monkeypatch.syspath_prepend(str(AGENT.parent))
    workers, hub = importlib.import_module("workers"), importlib.import_module("hub")
    assert hub._SLACK_S > 5 * workers.ENDING_S
    assert lead._SLACK_S > hub._SLACK_S + node._KNOCKED_AT * hub._KNOCK_S


def test_a_port_that_is_taken_is_said_and_no_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        agent = Agent("a", taken.getsockname()[1])
        try:
            assert f"port {taken.getsockname()[1]} cannot be opened here" in agent.hear("end")
            agent.process.wait(20)
            assert not list(tmp_path.iterdir())
        finally:
            agent.end()
