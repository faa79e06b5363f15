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
Wait = Callable[[], Any]
Work = Callable[[Emit, Wait], None]

HANGS = "no answer in time: it hangs"

_PR_SET_PDEATHSIG = 1


class Worker:
    """A forked process that runs `work(emit, wait)`: `emit` hands over an answer, `wait` returns the next order, None at their end."""

    def __init__(self, work: Work) -> None:
        """Start it."""
        answers, self._answer_end = os.pipe()
        self._order_end, orders = os.pipe()
        self._answers, self._orders, self._rest = answers, orders, b""
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(answers)
            os.close(orders)
            _run(work, self._answer_end, self._order_end, parent)
        os.close(self._answer_end)
        os.close(self._order_end)

    def answer(self, until: float) -> dict[str, Any]:
        """Wait for the next answer until then (`time.monotonic()`): {"value": ...}, or {"unreadable": why}."""
        while b"\n" not in self._rest:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._answers], [], [], left)[0]:
                return {"unreadable": HANGS}
            chunk = os.read(self._answers, 1 << 16)
            if not chunk:
                return {"unreadable": "its process ended without an answer"}
            self._rest += chunk
        line, self._rest = self._rest.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def go(self, order: Any = True) -> None:  # noqa: FBT002 - an order is any plain data; most work has but one way to go on
        """Let it go on, with an order."""
        with contextlib.suppress(BrokenPipeError):  # it has ended, which its answer will tell
            os.write(self._orders, json.dumps(order).encode() + b"\n")

    def end(self) -> None:
        """End it, without waiting for one that cannot be ended."""
        os.kill(self._pid, signal.SIGKILL)
        until = time.monotonic() + 1
        while time.monotonic() < until and os.waitpid(self._pid, os.WNOHANG) == (0, 0):
            time.sleep(0.005)
        for pipe in (self._answers, self._orders):
            os.close(pipe)


def end_with_stdin() -> Worker:
    """Have this process told to end (SIGTERM) once its standard input is closed: whoever started it is gone, or wants no more."""
    parent = os.getpid()

    def watch(_emit: Emit, _wait: Wait) -> None:
        while os.read(0, 1 << 12):
            pass
        os.kill(parent, signal.SIGTERM)

    return Worker(watch)


def _run(work: Work, answer_end: int, order_end: int, parent: int) -> None:
    """Be the worker: never return, print nothing where the parent prints its result, die with the parent and by nobody else's word."""
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # who presses Ctrl-C means the parent, which ends this one
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            return  # it was gone before that
        os.dup2(2, 1)

        def emit(answer: dict[str, Any]) -> None:
            data = json.dumps(answer).encode() + b"\n"
            while data:
                data = data[os.write(answer_end, data) :]

        try:
            work(emit, _orders(order_end))
        except Exception as error:  # noqa: BLE001 - the parent is told, whatever it was
            emit({"unreadable": reason(error)})
    finally:
        os._exit(0)


def reason(error: Exception) -> str:
    """Say in one line what went wrong."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


def _orders(source: int) -> Wait:
    rest = b""

    def wait() -> Any:
        nonlocal rest
        while b"\n" not in rest:
            chunk = os.read(source, 1 << 12)
            if not chunk:
                return None
            rest += chunk
        line, rest = rest.split(b"\n", 1)
        return json.loads(line)

    return wait
