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
    """Who holds it: a user of a controller, that run of Ansible (by its process there), for what, and since when (UTC).

    Hosts' names and processes' numbers come again, in containers above all, so a run is known by two things more. Where they are unknown,
    as on a controller without /proc or in a lock that something else wrote, nobody can say that the run is gone.
    """

    owner: str
    process: int
    purpose: str
    since: str
    controller: str = ""  # its boot, and the namespace of its processes
    started: str = ""  # when the process did, in the kernel's ticks since that boot

    def is_same_run(self, other: Holder) -> bool:
        """Whether both are one run, whatever it does."""
        mine, others = ((each.owner, each.process, each.controller, each.started) for each in (self, other))
        return mine == others


def controller(proc: Path = Path("/proc")) -> str:
    """Name the boot of this machine and the namespace in which this process has its number; nothing where that cannot be known."""
    try:
        # Else /proc is that of another namespace, and a number there is another process.
        if (proc / "self").readlink().name != str(os.getpid()):
            return ""
        return f"{(proc / 'sys/kernel/random/boot_id').read_text(encoding='ascii').strip()} {(proc / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def started(process: int, proc: Path = Path("/proc")) -> str:
    """Say when a process of this namespace started; nothing where there is none, or it has ended and only its parent does not know yet."""
    try:
        # The name before may have blanks and parentheses in it.
        state, *others = (proc / str(process) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if state == "Z" else others[18]


def is_gone(holder: Holder, owner: str, proc: Path = Path("/proc")) -> bool:
    """Tell whether a run of this user on this controller is known to have ended; of any other, nothing is known."""
    if not holder.controller or not holder.started or (holder.owner, holder.controller) != (owner, controller(proc)):
        return False
    return started(holder.process, proc) != holder.started


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
        # What other tools write has no more than the first four.
        return from_plain(Holder, {"controller": "", "started": "", **told} if isinstance(told, dict) else told)
    except FileNotFoundError:
        return None
    except ValueError as error:
        found = f"{path}: found no lock of gpu.fleet in it ({error})"
        raise ForeignLockError(f"{found}, expected one: see whose it is, then remove it with `sudo rm {path}`") from None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep everybody else on this node out between look and step."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
