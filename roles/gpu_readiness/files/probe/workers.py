"""Processes that work while this one watches: each talks over two pipes, and answers in time or not at all."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

Message = dict[str, Any]
Emit = Callable[[Message], None]
Hear = Callable[[], Message]
Work = Callable[[Emit, Hear], None]

_PR_SET_PDEATHSIG = 1


class Worker:
    """A forked process that runs `work(emit, hear)`: `emit` hands over an answer, `hear` waits for the next word and returns it."""

    def __init__(self, work: Work) -> None:
        """Start it."""
        answers, answer_end = os.pipe()
        word_end, words = os.pipe()
        self._answers, self._words, self._rest = answers, words, b""
        self._pid = os.fork()
        if self._pid == 0:
            os.close(answers)
            os.close(words)
            _run(work, answer_end, word_end)
        os.close(answer_end)
        os.close(word_end)

    def fileno(self) -> int:
        """Give `select` what is readable once there is an answer."""
        return self._answers

    def answer(self, until: float) -> Message:
        """Wait for the next answer: {"value": ...}, or {"unreadable": why}."""
        while b"\n" not in self._rest:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._answers], [], [], left)[0]:
                return {"unreadable": "no answer in time: it hangs"}
            if not self._read():
                return {"unreadable": "its process ended without an answer"}
        return self._next()

    def answers(self) -> Iterator[Message]:
        """Take what `select` said is there; the last one of a process that has ended is {"ended": True}."""
        if not self._read():
            yield {"ended": True}
        while b"\n" in self._rest:
            yield self._next()

    def tell(self, word: Message) -> None:
        """Say something to it; `hear` returns it there."""
        with contextlib.suppress(BrokenPipeError):  # it has ended, which its answer will tell
            os.write(self._words, json.dumps(word).encode() + b"\n")

    def go(self) -> None:
        """Let it go on."""
        self.tell({"go": True})

    def _read(self) -> bool:
        chunk = os.read(self._answers, 1 << 16)
        self._rest += chunk
        return bool(chunk)

    def _next(self) -> Message:
        line, self._rest = self._rest.split(b"\n", 1)
        answer: Message = json.loads(line)
        return answer

    def end(self) -> None:
        """End it, without waiting for one that cannot be ended."""
        os.close(self._answers)
        os.close(self._words)
        os.kill(self._pid, signal.SIGKILL)
        until = time.monotonic() + 1
        while time.monotonic() < until and os.waitpid(self._pid, os.WNOHANG) == (0, 0):
            time.sleep(0.005)


def alone(work: Callable[[Callable[[Any], None]], None], seconds: float) -> Message:
    """Run `work(emit)` in a process of its own and return its one answer."""
    worker = Worker(lambda emit, _hear: work(lambda value: emit({"value": value})))
    try:
        return worker.answer(time.monotonic() + seconds)
    finally:
        worker.end()


def _run(work: Work, answer_end: int, word_end: int) -> None:
    """Be the worker: never return, print nothing where the parent prints its result, die with the parent."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.dup2(2, 1)
        words = os.fdopen(word_end, "rb")

        def emit(answer: Message) -> None:
            data = json.dumps(answer).encode() + b"\n"
            while data:
                data = data[os.write(answer_end, data) :]

        def hear() -> Message:
            line = words.readline()
            word: Message = json.loads(line) if line else {}
            return word

        try:
            work(emit, hear)
        except Exception as error:  # noqa: BLE001 - the parent is told, whatever it was
            lines = str(error).strip().splitlines()
            emit({"unreadable": f"{type(error).__name__}: {lines[0] if lines else 'no message'}"})
    finally:
        os._exit(0)
