"""Faults between nodes for real: a slow link, a closed port, an agent that stops, one that dies. Each must name its node and no other.

The Molecule scenario `fabric` runs it on its sandbox of four nodes: `cd tests && python -m fabric.on_nodes`.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.reach import inside, on_network

REPOSITORY = Path(__file__).parents[2]
NODES = ("gpu-01", "gpu-02", "gpu-03", "gpu-04")
MEETING_PORT = 29500
# Short times: what hangs is given up sooner than on a real fleet.
TIMES = {"fabric_readiness_round_s": 12, "fabric_readiness_meet_s": 40, "fabric_readiness_measure_s": 1}
BOUND_S = 300  # no play may take longer, whatever hangs
WAIT_S = 90
_AGENT = "^python3 /probe/agent.py"
_IN_A_ROUND = 3  # the agent, its messenger, and its process of the round


@dataclass(frozen=True)
class Story:
    """What is done to which node, and what must be said of it."""

    what: str
    node: str
    fault: Any  # a context manager that makes it so
    words: str  # in the message of the node's finding


@contextmanager
def nothing(_node: str) -> Iterator[None]:
    """Leave all as it is."""
    yield


@contextmanager
def slow_link(node: str) -> Iterator[None]:
    """Let a node send 40 Mbit/s, which is far below the gate."""
    on_network(node, "tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "40mbit", "burst", "64kb", "latency", "400ms")
    try:
        yield
    finally:
        on_network(node, "tc", "qdisc", "del", "dev", "eth0", "root")


@contextmanager
def closed_ports(node: str) -> Iterator[None]:
    """Have a node take no connection but SSH."""
    rule = ("INPUT", "--in-interface", "eth0", "--protocol", "tcp", "--syn", "!", "--dport", "22", "--jump", "DROP")
    on_network(node, "iptables", "--wait", "--insert", *rule)
    try:
        yield
    finally:
        on_network(node, "iptables", "--wait", "--delete", *rule)


@contextmanager
def signalled(node: str, signal: str, which: Sequence[str] = ()) -> Iterator[None]:
    """Send the node's agent a signal in the middle of a round."""
    over = threading.Event()

    def wait_and_send() -> None:
        while not over.wait(0.1):
            found = inside(node, "pgrep", "--full", _AGENT).stdout.split()
            if len(found) >= _IN_A_ROUND + (node == NODES[0]):
                inside(node, "pkill", f"-{signal}", *which, "--full", _AGENT)
                return

    sender = threading.Thread(target=wait_and_send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()


@contextmanager
def stopped(node: str) -> Iterator[None]:
    """Stop all processes of the node's agent in the middle of a round."""
    with signalled(node, "STOP"):
        yield


@contextmanager
def killed(node: str) -> Iterator[None]:
    """Kill the node's agent in the middle of a round."""
    with signalled(node, "KILL", ["--oldest"]):
        yield


STORIES = (
    Story("a healthy fleet", "", nothing, ""),
    Story("a slow link", "gpu-03", slow_link, "GB/s"),
    Story("closed ports", "gpu-02", closed_ports, "cannot reach it"),
    Story("closed ports where all meet", "gpu-01", closed_ports, f":{MEETING_PORT}"),
    Story("an agent that stops", "gpu-04", stopped, ""),
    Story("an agent that dies where all meet", "gpu-01", killed, ""),
)

INTERRUPTED = {"while each node is measured": "^python3 /probe ", "while all are measured together": _AGENT}


def main() -> int:
    """Tell the stories, print what differs, and return how many do."""
    wrong = 0
    for story in STORIES:
        began = time.monotonic()
        with story.fault(story.node):
            nodes = measure()
        took = time.monotonic() - began
        complaints = [*differences(story, nodes), *left_behind()]
        wrong += bool(complaints)
        sys.stdout.write("\n  ".join([f"{'WRONG' if complaints else 'as expected'}: {story.what}, {took:.0f} s", *complaints]) + "\n")
        sys.stdout.flush()
    for what, process in INTERRUPTED.items():
        complaints = interrupted(process)
        wrong += bool(complaints)
        sys.stdout.write("\n  ".join([f"{'WRONG' if complaints else 'as expected'}: a run interrupted {what}", *complaints]) + "\n")
        sys.stdout.flush()
    return wrong


def command() -> list[str]:
    """Build the command that measures, as a person would type it."""
    return [
        *("ansible-playbook", "playbooks/readiness.yml", "--inventory", "inventories/sandbox"),
        *("--extra-vars", json.dumps({**TIMES, "level": "active", "recovered": True, "fleet_report_gate": False})),
    ]


def measure() -> dict[str, Any]:
    """Measure the fleet, and read what the report says of each node."""
    run = subprocess.run(command(), cwd=REPOSITORY, capture_output=True, text=True, timeout=BOUND_S, check=False)
    if run.returncode:
        sys.exit(f"the playbook ended with exit status {run.returncode}\n{run.stdout}{run.stderr}")
    sys.stdout.writelines(f"  {line.strip()}\n" for line in run.stdout.splitlines() if "fabric: " in line)
    report = json.loads((REPOSITORY / "reports" / "report.json").read_text(encoding="utf-8"))
    return {node["node"]: node for node in report["nodes"]}


def differences(story: Story, nodes: dict[str, Any]) -> Iterator[str]:
    """Say where somebody else is named, or the one at fault is not."""
    for name in NODES:
        findings = [each for each in nodes[name]["findings"] if each["check"].startswith("across_nodes")]
        bad = [each["message"] for each in findings if each["status"] not in ("pass", "skip")]
        if name == story.node:
            if not any(story.words in message for message in bad):
                yield f"{name} is not named with {story.words!r}: {bad or findings}"
        elif bad or not findings:
            yield f"{name}: expected to be good, found {bad or 'no finding'}"


def left_behind() -> Iterator[str]:
    """Say what still runs on any node."""
    for name in NODES:
        until = time.monotonic() + WAIT_S
        while (found := running(name)) and time.monotonic() < until:
            time.sleep(1)
        if found:
            yield f"{name}: still there: {found}"


def running(node: str) -> str:
    """List what still measures on a node: processes, their containers, and what says so."""
    processes = inside(node, "pgrep", "--full", "--list-full", "python3 /probe").stdout
    containers = inside(node, "docker", "ps", "--all", "--quiet", "--filter", "label=gpu.fleet").stdout
    return (processes + containers + inside(node, "find", "/run/gpu-fleet", "-name", "running").stdout).strip()


def interrupted(process_of_it: str) -> list[str]:
    """Interrupt a run while such a process runs on a node: after a while nothing of it is left."""
    process = subprocess.Popen(command(), cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    until = time.monotonic() + BOUND_S
    while not (started := inside(NODES[-1], "pgrep", "--full", process_of_it).stdout) and time.monotonic() < until:
        time.sleep(0.2)
    if not started:
        return [f"no process {process_of_it} was started"]
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, 2)
    process.wait(60)
    return list(left_behind())


if __name__ == "__main__":
    raise SystemExit(main())
