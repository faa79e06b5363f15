"""Processes that work while this one watches: each answers over a pipe, in time or not at all."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import time
from collections.abc import Callable
from typing import Any

Emit = Callable[[dict[str, Any]], None]
Work = Callable[[Emit, Callable[[], bool]], None]

_PR_SET_PDEATHSIG = 1


class Worker:
    """A forked process that runs `work(emit, wait)`: `emit` hands over an answer, `wait` returns once it may go on."""

    def __init__(self, work: Work) -> None:
        """Start it."""
        answers, self._answer_end = os.pipe()
        self._go_end, go = os.pipe()
        self._answers, self._go, self._rest = answers, go, b""
        self._pid = os.fork()
        if self._pid == 0:
            os.close(answers)
            os.close(go)
            _run(work, self._answer_end, self._go_end)
        os.close(self._answer_end)
        os.close(self._go_end)

    def answer(self, until: float) -> dict[str, Any]:
        """Wait for the next answer: {"value": ...}, or {"unreadable": why}."""
        while b"\n" not in self._rest:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._answers], [], [], left)[0]:
                return {"unreadable": "no answer in time: it hangs"}
            chunk = os.read(self._answers, 1 << 16)
            if not chunk:
                return {"unreadable": "its process ended without an answer"}
            self._rest += chunk
        line, self._rest = self._rest.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def go(self) -> None:
        """Let it go on."""
        with contextlib.suppress(BrokenPipeError):  # it has ended, which its answer will tell
            os.write(self._go, b"\n")

    def end(self) -> None:
        """End it, without waiting for one that cannot be ended."""
        os.kill(self._pid, signal.SIGKILL)
        until = time.monotonic() + 1
        while time.monotonic() < until and os.waitpid(self._pid, os.WNOHANG) == (0, 0):
            time.sleep(0.005)


def alone(work: Callable[[Callable[[Any], None]], None], seconds: float) -> dict[str, Any]:
    """Run `work(emit)` in a process of its own and return its one answer."""
    worker = Worker(lambda emit, _wait: work(lambda value: emit({"value": value})))
    try:
        return worker.answer(time.monotonic() + seconds)
    finally:
        worker.end()


def _run(work: Work, answer_end: int, go_end: int) -> None:
    """Be the worker: never return, print nothing where the parent prints its result, die with the parent."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.dup2(2, 1)

        def emit(answer: dict[str, Any]) -> None:
            data = json.dumps(answer).encode() + b"\n"
            while data:
                data = data[os.write(answer_end, data) :]

        try:
            work(emit, lambda: os.read(go_end, 1) == b"\n")
        except Exception as error:  # noqa: BLE001 - the parent is told, whatever it was
            lines = str(error).strip().splitlines()
            emit({"unreadable": f"{type(error).__name__}: {lines[0] if lines else 'no message'}"})
    finally:
        os._exit(0)
