"""Work that may hang, done in a child that is watched: whatever happens there, the caller goes on in time.

A GPU's driver can leave a process in the kernel for ever, so nobody here waits for a child without a limit, killed or not.
"""

from __future__ import annotations

import faulthandler
import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_GRACE_S = 1.0
_CHUNK = 1 << 16


class Deadline:
    """A moment after which there is no more waiting."""

    def __init__(self, seconds: float) -> None:
        """Set the moment, `seconds` from now."""
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until then, never negative."""
        return max(0.0, self._end - time.monotonic())

    def at_most(self, seconds: float) -> Deadline:
        """Return the sooner of this deadline and one `seconds` from now."""
        return Deadline(min(self.left, seconds))


@dataclass(frozen=True)
class Completed:
    """How a command ended. `trouble` is empty when it ended by itself, whatever its exit status."""

    returncode: int
    stdout: str
    stderr: str
    trouble: str = ""

    @property
    def complaint(self) -> str:
        """What went wrong in one line, empty when nothing did."""
        if self.trouble:
            return self.trouble
        if self.returncode == 0:
            return ""
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return f"exit status {self.returncode}" + (f": {lines[-1].strip()}" if lines else "")


class Child:
    """A function that runs in a forked process and hands over items one by one, so that a hang loses only what comes after."""

    def __init__(self, work: Callable[[Callable[[Any], None]], None], deadline: Deadline) -> None:
        """Start `work(emit)` in a child; it may run until the deadline."""
        self._deadline = deadline
        self._source, sink = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._source)
            _work_and_leave(work, sink, deadline)
        os.close(sink)

    def end(self) -> None:
        """End the child before it is done; what it handed over is lost."""
        os.close(self._source)
        end_process(self._pid)

    def collect(self) -> tuple[list[Any], str]:
        """Return the items that came in time, and what went wrong (empty when the work was done)."""
        try:
            data, ended = _read({self._source: bytearray()}, self._deadline)
        finally:
            os.close(self._source)
        done, items, trouble = False, [], ""
        for line in bytes(data[self._source]).splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break  # cut off in the middle of an item
            kind, item = json.loads(line)
            if kind == "item":
                items.append(item)
            else:
                done, trouble = True, item
        if done:
            reap(self._pid, _GRACE_S)
            return items, trouble
        status = reap(self._pid, _GRACE_S if ended else 0.0)
        if status is not None:
            return items, f"the reading process ended early ({_ending(status)})"
        return items, f"no answer within {self._deadline.seconds:.1f} s{end_process(self._pid)}"


def run(command: Sequence[str], deadline: Deadline, environment: Mapping[str, str] | None = None) -> Completed:
    """Run a command until it ends or the deadline comes; its whole process group is then killed."""
    try:
        process = subprocess.Popen(  # noqa: S603 - a list of words, no shell
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "LC_ALL": "C", **(environment or {})},
        )
    except OSError as error:
        return Completed(-1, "", "", f"{command[0]} could not be started: {error.strerror or error}")
    assert process.stdout is not None  # noqa: S101 - both are pipes, for the type checker
    assert process.stderr is not None  # noqa: S101
    streams = (process.stdout, process.stderr)
    try:
        data, ended = _read({stream.fileno(): bytearray() for stream in streams}, deadline)
        stdout, stderr = (bytes(data[stream.fileno()]).decode(errors="replace") for stream in streams)
    finally:
        for stream in streams:
            stream.close()
    status = reap(process.pid, deadline.at_most(_GRACE_S).left if ended else 0.0)
    if status is None:
        trouble = f"{command[0]} gave no answer within {deadline.seconds:.1f} s{end_process(process.pid, group=True)}"
        process.returncode = -signal.SIGKILL
        return Completed(-1, stdout, stderr, trouble)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Completed(process.returncode, stdout, stderr)


def _work_and_leave(work: Callable[[Callable[[Any], None]], None], sink: int, deadline: Deadline) -> None:
    """Be the child: never return, print nothing on the parent's streams, and end by itself should the parent be gone."""
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        faulthandler.disable()  # its stream may be another: a crash here is the parent's to tell
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, deadline.left + _GRACE_S)

        def send(kind: str, item: Any) -> None:
            data = json.dumps([kind, item]).encode() + b"\n"
            while data:
                data = data[os.write(sink, data) :]

        try:
            work(lambda item: send("item", item))
            send("end", "")
        except Exception as error:  # noqa: BLE001 - the parent is told, whatever it was
            send("end", f"{type(error).__name__}: {error}")
    finally:
        os._exit(0)


def _read(buffers: dict[int, bytearray], deadline: Deadline) -> tuple[dict[int, bytearray], bool]:
    """Read all the streams until they end (True) or the deadline comes (False)."""
    with selectors.DefaultSelector() as selector:
        for stream in buffers:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(deadline.left)
            if not ready:
                return buffers, False
            for key, _events in ready:
                chunk = os.read(key.fd, _CHUNK)
                if chunk:
                    buffers[key.fd] += chunk
                else:
                    selector.unregister(key.fd)
    return buffers, True


def reap(pid: int, seconds: float) -> int | None:
    """Return the child's wait status, or None when it has not ended within `seconds`."""
    end = time.monotonic() + seconds
    while True:
        try:
            ended, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            return 0
        if ended:
            return status
        if time.monotonic() >= end:
            return None
        time.sleep(0.002)


def end_process(pid: int, *, group: bool = False) -> str:
    """Kill a child; what is returned says so where even that does not end it."""
    try:
        (os.killpg if group else os.kill)(pid, signal.SIGKILL)
    except OSError:
        return ""
    return "" if reap(pid, _GRACE_S) is not None else f"; process {pid} cannot be killed, it is stuck in the kernel"


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exit status {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
