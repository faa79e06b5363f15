"""Work that hangs, dies or floods never holds the caller up, and what came before it is kept."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Child, Deadline, run


def hang() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(60)


def test_a_child_hands_over_its_items() -> None:
    child = Child(lambda emit: [emit({"item": number, "text": "x" * 5000}) for number in range(100)] and None, Deadline(10))
    items, trouble = child.collect()
    assert [item["item"] for item in items] == list(range(100))
    assert trouble == ""


def test_a_hang_loses_only_what_comes_after() -> None:
    def work(emit: Any) -> None:
        emit(1)
        emit(2)
        hang()

    start = time.monotonic()
    child = Child(work, Deadline(0.3))
    items, trouble = child.collect()
    assert items == [1, 2]
    assert trouble == "no answer within 0.3 s"
    assert time.monotonic() - start < 20
    with pytest.raises(ChildProcessError):
        os.waitpid(child._pid, 0)


def test_a_crash_and_an_exception_are_told_apart() -> None:
    def crash(emit: Any) -> None:
        emit("before")
        os.kill(os.getpid(), signal.SIGSEGV)

    assert Child(crash, Deadline(10)).collect() == (["before"], "the reading process ended early (signal SIGSEGV)")
    assert Child(lambda _emit: {}["x"], Deadline(10)).collect() == ([], "KeyError: 'x'")


def test_a_child_prints_nothing_where_the_parent_prints(capfd: pytest.CaptureFixture[str]) -> None:
    Child(lambda _emit: os.write(1, b"noise") and os.write(2, b"noise") and None, Deadline(10)).collect()
    assert capfd.readouterr() == ("", "")


def test_a_command_is_run_without_shell_or_locale() -> None:
    completed = run([sys.executable, "-c", "import os, sys; print(os.environ['LC_ALL'], sys.argv[1])", "a b; c"], Deadline(10))
    assert (completed.stdout, completed.returncode, completed.complaint) == ("C a b; c\n", 0, "")


@pytest.mark.parametrize(
    ("program", "complaint"),
    [
        ("import sys; sys.exit('the disk is full')", "exit status 1: the disk is full"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "exit status -9"),
        ("print('x' * 5_000_000)", ""),
    ],
)
def test_how_a_command_ended_is_told(program: str, complaint: str) -> None:
    assert run([sys.executable, "-c", program], Deadline(10)).complaint == complaint


def test_a_command_that_hangs_is_killed_with_what_it_started() -> None:
    program = (
        "import os, signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print(child.pid, flush=True); time.sleep(60)"
    )
    start = time.monotonic()
    completed = run([sys.executable, "-c", program], Deadline(1.0))
    assert time.monotonic() - start < 20
    assert completed.complaint == f"{sys.executable} gave no answer within 1.0 s"
    status = Path(f"/proc/{int(completed.stdout)}/status")
    for _ in range(100):
        if not status.exists() or "zombie" in status.read_text():
            return
        time.sleep(0.02)
    pytest.fail("what the command started is still running")


def test_a_command_that_is_not_there_says_so() -> None:
    assert run(["no-such-program"], Deadline(1)).complaint == "no-such-program could not be started: No such file or directory"


def test_a_deadline_is_the_sooner_one() -> None:
    assert Deadline(1).at_most(5).left <= 1
    assert Deadline(5).at_most(1).left <= 1
    assert Deadline(-1).left == 0
