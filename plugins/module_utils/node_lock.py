"""A lock on a node: who works on it, so that two controllers do not do so at once. It outlives reboots, as the work does."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils import whole_file
from ansible_collections.gpu.fleet.plugins.module_utils.plain import from_plain


class ForeignLockError(ValueError):
    """What lies there is no lock of ours, or is damaged; the message says which file."""


@dataclass(frozen=True)
class Holder:
    """Who holds it: a user of a controller, that run of Ansible (by its process there), for what, and since when (UTC)."""

    owner: str
    process: int
    purpose: str
    since: str

    def is_same_run(self, other: Holder) -> bool:
        """Whether both are one run, whatever it does."""
        return (self.owner, self.process) == (other.owner, other.process)


def take(path: Path, wanted: Holder, instead_of: Holder | None = None) -> Holder | None:
    """Take it; returns who held it before, where it is not free. `instead_of` is a holder that is known to be gone.

    Where this run holds it already, that is returned, and stays. Raises ForeignLockError, and OSError where it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.parent):
        holder = read(path)
        if holder is None or holder == instead_of:
            whole_file.write(path, json.dumps(asdict(wanted)).encode())
            return None
        return holder


def release(path: Path, run: Holder) -> bool:
    """Release it where this run holds it; says whether it did."""
    if not path.exists():
        return False
    with _alone(path.parent):
        holder = read(path)
        if holder is None or not holder.is_same_run(run):
            return False
        path.unlink()
        return True


def read(path: Path) -> Holder | None:
    """Say who holds it."""
    try:
        told: Any = json.loads(path.read_text(encoding="utf-8"))
        return from_plain(Holder, told)
    except FileNotFoundError:
        return None
    except ValueError as error:
        found = f"{path}: found no lock of gpu.fleet in it ({error})"
        raise ForeignLockError(f"{found}, expected one: see whose it is, then remove it") from None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep everybody else on this node out between look and step."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
