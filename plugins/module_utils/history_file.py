"""Keeps a node's history in a file: replaced as a whole, never trusted, and never a reason for a check to fail."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils import whole_file
from ansible_collections.gpu.fleet.plugins.module_utils.history import EMPTY, History, problem
from ansible_collections.gpu.fleet.plugins.module_utils.plain import from_plain, to_plain

PATH = "/var/lib/gpu-fleet/history.json"

_MOST_BYTES = 4 << 20
_LOCK_S = 2.0


@dataclass(frozen=True)
class Loaded:
    """A history, empty where there is none; `trouble` says why it could not be read, `foreign` that the file holds something else."""

    history: History
    trouble: str = ""
    foreign: bool = False


def load(path: Path) -> Loaded:
    """Read the history; nothing is changed."""
    try:
        data = _content(path)
        history = from_plain(History, json.loads(data))
        wrong = problem(history)
    except FileNotFoundError:
        return Loaded(EMPTY)
    except OSError as error:
        return Loaded(EMPTY, f"{path}: {error.strerror}")
    except (ValueError, RecursionError) as error:
        wrong, history = str(error), EMPTY
    return Loaded(EMPTY, f"{path} holds no history of this check: {wrong}", foreign=True) if wrong else Loaded(history)


def update(path: Path, change: Callable[[History], History]) -> str:
    """Replace the history by what `change` makes of it; a foreign file is set aside. Returns what went wrong, empty when nothing did."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.parent):
            found = load(path)
            if found.trouble and not found.foreign:
                return found.trouble
            if found.foreign:
                path.replace(aside(path))
            whole_file.write(path, json.dumps(to_plain(change(found.history)), indent=1).encode("ascii"))
    except OSError as error:
        return f"{error.filename or path}: {error.strerror or error}"
    return ""


def aside(path: Path) -> Path:
    """Name the file that a foreign one is moved to; there is one at most."""
    return path.with_name(f"{path.name}.foreign")


def _content(path: Path) -> bytes:
    # A pipe or a device in its place must not hold the check up.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is not a regular file")
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError(f"it is larger than {_MOST_BYTES} bytes")
    return data


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other checks of this node from writing meanwhile; the lock ends with the process, and leaves no file behind."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        end = time.monotonic() + _LOCK_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise OSError(0, f"another check has held the lock for {_LOCK_S:.0f} s", str(folder)) from None
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)
