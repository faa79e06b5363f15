"""A program that runs for long ends with whoever wanted it, and tells what it has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Completed, Deadline
from ansible_collections.gpu.fleet.plugins.module_utils.observe.supervised import supervise

ROOT = Path(__file__).parents[4]
POLITE = "echo ready; cat > /dev/null; echo told; echo why >&2"
MODULE = """
import sys
from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Deadline
from ansible_collections.gpu.fleet.plugins.module_utils.observe.supervised import supervise
ended = supervise(["sh", "-c", sys.argv[1]], Deadline(60), lambda line: print(line, flush=True), lambda line: None)
print("ended", ended.returncode, ended.trouble)
"""


def run(program: str, seconds: float = 20) -> tuple[Completed, list[str], list[str]]:
    output: list[str] = []
    complaints: list[str] = []
    return supervise(["sh", "-c", program], Deadline(seconds), output.append, complaints.append), output, complaints


def test_lines_are_heeded_and_kept() -> None:
    ended, output, complaints = run("echo one; echo two >&2; printf three; exit 3")
    assert (ended.returncode, ended.stdout, ended.stderr, ended.trouble) == (3, "one\nthree", "two\n", "")
    assert (output, complaints) == (["one"], ["two"])


def test_what_hangs_is_ended() -> None:
    ended, output, _complaints = run("echo one; trap '' TERM; sleep 60", seconds=1)
    assert "no answer within" in ended.trouble
    assert output == ["one"]


def test_what_it_leaves_behind_is_told_and_ended() -> None:
    ended, output, _complaints = run("sleep 60 & echo $!", seconds=1)
    assert (ended.returncode, ended.stdout) == (0, f"{output[0]}\n")
    assert "ended, but not all that it started did within" in ended.trouble
    end = time.monotonic() + 5
    while lives(output[0]) and time.monotonic() < end:
        time.sleep(0.05)
    assert not lives(output[0])


def lives(pid: str) -> bool:
    """Whether a process is there, and not only waits for somebody to hear of its end."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def test_what_is_not_there_is_told() -> None:
    assert "could not be started" in supervise(["/no/such/program"], Deadline(5), print, print).trouble


def start(program: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / ".collections")}
    module = subprocess.Popen([sys.executable, "-c", MODULE, program], env=environment, stdout=subprocess.PIPE, text=True)
    assert module.stdout is not None
    assert module.stdout.readline() == "ready\n"
    return module


@pytest.mark.parametrize("wish", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_has_it_told_to_end_and_what_it_says_counts(wish: signal.Signals) -> None:
    module = start(POLITE)
    module.send_signal(wish)
    assert module.communicate(timeout=20)[0] == "told\nended 0 \n"


@pytest.mark.parametrize("how", ["killed", "nobody listens"])
def test_it_ends_with_a_module_that_is_gone(how: str, tmp_path: Path) -> None:
    module = start(f"echo ready; cat > /dev/null; touch {tmp_path / 'ended'}")
    assert module.stdout is not None
    if how == "killed":
        module.kill()
    module.stdout.close()
    end = time.monotonic() + 20
    while not (tmp_path / "ended").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert (tmp_path / "ended").exists()
    module.wait(timeout=20)
