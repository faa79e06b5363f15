"""Processes that work while this one watches: each talks over two pipes, and answers in time or not at all."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Message = dict[str, Any]
Emit = Callable[[Message], None]
Hear = Callable[[], Any]
Work = Callable[[Emit, Hear], None]

HANGS = "no answer in time: it hangs"
ENDED = "its process ended without an answer"

ENDING_S = 1.0  # for all that are killed together: one that is stuck in a driver does not end

_PR_SET_PDEATHSIG = 1


class Worker:
    """A forked process that runs `work(emit, hear)`: `emit` hands over an answer, `hear` waits for a word, None once none can come."""

    def __init__(self, work: Work) -> None:
        """Start it."""
        answers, answer_end = os.pipe()
        word_end, words = os.pipe()
        self._answers, self._words, self._rest = answers, words, b""
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(answers)
            os.close(words)
            _run(work, answer_end, word_end, parent)
        os.close(answer_end)
        os.close(word_end)

    def fileno(self) -> int:
        """Give `select` what is readable once there is an answer."""
        return self._answers

    def answer(self, until: float) -> Message:
        """Wait for the next answer until then (`time.monotonic()`): {"value": ...}, or {"unreadable": why}."""
        while b"\n" not in self._rest:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._answers], [], [], left)[0]:
                return {"unreadable": HANGS}
            if not self._read():
                return {"unreadable": ENDED}
        return self._next()

    def answers(self) -> Iterator[Message]:
        """Take what `select` said is there; the last one of a process that has ended is {"ended": True}."""
        if not self._read():
            yield {"ended": True}
        while b"\n" in self._rest:
            yield self._next()

    def tell(self, word: Any) -> None:
        """Say something to it, any plain data; `hear` returns it there."""
        with contextlib.suppress(BrokenPipeError):  # it has ended, which its answer will tell
            os.write(self._words, json.dumps(word).encode() + b"\n")

    def kill(self) -> None:
        """Kill it, and leave it to `part` to wait for that."""
        os.kill(self._pid, signal.SIGKILL)

    def part(self, until: float) -> None:
        """Wait for its end until then, not for ever for one that cannot be ended."""
        while os.waitpid(self._pid, os.WNOHANG) == (0, 0) and time.monotonic() < until:
            time.sleep(0.005)
        for pipe in (self._answers, self._words):
            os.close(pipe)

    def _read(self) -> bool:
        chunk = os.read(self._answers, 1 << 16)
        self._rest += chunk
        return bool(chunk)

    def _next(self) -> Message:
        line, self._rest = self._rest.split(b"\n", 1)
        answer: Message = json.loads(line)
        return answer


def end(workers: Sequence[Worker], seconds: float = ENDING_S) -> None:
    """End them all at once, so that many that hang take no longer than one."""
    for worker in workers:
        worker.kill()
    until = time.monotonic() + seconds
    for worker in workers:
        worker.part(until)


def alone(work: Callable[[Callable[[Any], None]], None], seconds: float) -> Message:
    """Run `work(emit)` in a process of its own and return its one answer."""
    worker = Worker(lambda emit, _hear: work(lambda value: emit({"value": value})))
    try:
        return worker.answer(time.monotonic() + seconds)
    finally:
        end([worker])


def end_with_stdin() -> Worker:
    """Have this process told to end (SIGTERM) once its standard input is closed: whoever started it is gone, or wants no more."""
    parent = os.getpid()

    def watch(_emit: Emit, _hear: Hear) -> None:
        while os.read(0, 1 << 12):
            pass
        os.kill(parent, signal.SIGTERM)

    return Worker(watch)


def reason(error: Exception) -> str:
    """Say in one line what went wrong."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


def _run(work: Work, answer_end: int, word_end: int, parent: int) -> None:
    """Be the worker: never return, print nothing where the parent prints its result, die with the parent and by nobody else's word."""
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # who presses Ctrl-C means the parent, which ends this one
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            return  # it was gone before that
        os.dup2(2, 1)
        words = os.fdopen(word_end, "rb")

        def emit(answer: Message) -> None:
            data = json.dumps(answer).encode() + b"\n"
            while data:
                data = data[os.write(answer_end, data) :]

        def hear() -> Any:
            line = words.readline()
            return json.loads(line) if line else None

        try:
            work(emit, hear)
        except Exception as error:  # noqa: BLE001 - the parent is told, whatever it was
            emit({"unreadable": reason(error)})
    finally:
        os._exit(0)
