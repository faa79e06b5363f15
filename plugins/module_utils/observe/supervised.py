"""A program that may run for long: its lines are heeded as they come, and it ends with whoever wanted it, telling what it has.

It is told to end by closing its standard input. That reaches a program in a container, too, and also when this process is killed.
"""

from __future__ import annotations

import os
import select
import selectors
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Completed, Deadline, end_process, reap

_LOOK_S = 0.5
_FAREWELL_S = 15.0  # for a program that was told to end
_GRACE_S = 1.0
_KEPT = 1 << 20  # of each stream, its end
_WISHES = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

Heed = Callable[[str], None]


def supervise(command: Sequence[str], deadline: Deadline, output: Heed, complaints: Heed) -> Completed:
    """Run a command until it ends or the deadline comes; `output` and `complaints` get the lines of its two streams.

    A signal to end, or the loss of whoever reads this process's output, has the program told to end, with a little time for that.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - a list of words, no shell
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "LC_ALL": "C"},
        )
    except OSError as error:
        return Completed(-1, "", "", f"{command[0]} could not be started: {error.strerror or error}")
    streams = [_Lines(stream, heed) for stream, heed in ((process.stdout, output), (process.stderr, complaints)) if stream]
    stdin = process.stdin
    assert stdin is not None  # noqa: S101 - a pipe, for the type checker
    told = False
    with _wishes() as wishes, selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream.source, selectors.EVENT_READ, stream)
        while selector.get_map() and deadline.left:
            for key, _events in selector.select(min(_LOOK_S, deadline.left)):
                if not key.data.read():
                    selector.unregister(key.fileobj)
            if not told and (wishes or _nobody_listens()):
                told, deadline = True, deadline.at_most(_FAREWELL_S)
                stdin.close()
        status, trouble = _ending(process.pid, closed=not selector.get_map())
        if trouble:
            trouble = f"{command[0]} {trouble} within {deadline.seconds:.1f} s" + end_process(process.pid, group=True)
    for pipe in (*[each.source for each in streams], stdin):
        pipe.close()
    process.returncode = -signal.SIGKILL if status is None else os.waitstatus_to_exitcode(status)
    return Completed(process.returncode, streams[0].text, streams[1].text, trouble)


def _ending(pid: int, *, closed: bool) -> tuple[int | None, str]:
    """Return the program's wait status (None where it still runs) and what has not ended: what it started may hold its streams open."""
    status = reap(pid, _GRACE_S if closed else 0.0)
    if status is None:
        return None, "gave no answer"
    return status, "" if closed else "ended, but not all that it started did"


class _Lines:
    """One stream of the program, handed on line by line."""

    def __init__(self, source: IO[bytes], heed: Heed) -> None:
        self.source, self._heed, self._rest, self._kept = source, heed, b"", b""

    def read(self) -> bool:
        """Take what has come; False at the end."""
        chunk = os.read(self.source.fileno(), 1 << 16)
        self._kept = (self._kept + chunk)[-_KEPT:]
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._heed(line.decode(errors="replace"))
        return bool(chunk)

    @property
    def text(self) -> str:
        """The end of all that came."""
        return self._kept.decode(errors="replace")


@contextmanager
def _wishes() -> Iterator[list[int]]:
    """Gather signals to end, rather than die of them."""
    wishes: list[int] = []
    before = {each: signal.signal(each, lambda number, _frame: wishes.append(number)) for each in _WISHES}
    try:
        yield wishes
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _nobody_listens() -> bool:
    """Whether the other end of this process's standard output is gone, as when a connection was lost."""
    poll = select.poll()
    poll.register(1, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _stream, event in poll.poll(0))
