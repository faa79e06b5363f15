"""Reads the driver's errors from the kernel log of this boot: /dev/kmsg, completed by the journal where the ring has wrapped."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Deadline, run
from ansible_collections.gpu.fleet.plugins.module_utils.observation import KernelLog
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from ansible_collections.gpu.fleet.plugins.module_utils.xid import summarise

_KMSG_RECORD = re.compile(r"\d+,(?P<sequence>\d+),(?P<microseconds>\d+),[^;]*;(?P<message>.*)")
_JOURNAL_LINE = re.compile(r"^\[\s*(?P<seconds>\d+\.\d+)\] (?P<message>.*)", re.MULTILINE)
_OVERWRITTEN = "its oldest records are overwritten"
_RECORD_BYTES = 1 << 16  # the kernel asks for room for one whole record, 8 KiB at most
_JOURNAL_S = 10.0

# One message after the other, with its time in seconds since boot: a log may be far larger than all else that a check needs.
Messages = Iterator[tuple[float, str]]


class _PartError(Exception):
    """A log that does not have the whole of this boot."""


def observe(deadline: Deadline, root: Path = Path("/"), journal: str = "journalctl") -> Reading[KernelLog]:
    """Read the log; where only a part of this boot can be had, it counts as unreadable."""
    path = root / "dev/kmsg"
    try:
        return _log(str(path), _kmsg(path))
    except OSError as error:
        missing = f"{path}: {error.strerror}"
    except _PartError as error:
        missing = f"{path}: {error}"
    completed = run(journal_command(journal), deadline.at_most(_JOURNAL_S))
    if completed.complaint:
        return Reading.unreadable(f"{missing}; {journal}: {completed.complaint}")
    try:
        return _log("journal", _journal(completed.stdout))
    except _PartError:
        return Reading.unreadable(f"{missing}; {journal}: no kernel messages of this boot")


def journal_command(journal: str = "journalctl") -> list[str]:
    """Build the command that prints this boot's kernel messages with their time since boot."""
    return [journal, "--dmesg", "--boot", "--no-pager", "--quiet", "--output=short-monotonic"]


def _log(origin: str, messages: Messages) -> Reading[KernelLog]:
    first = next(messages, None)
    if first is None:
        raise _PartError("no record")
    events, strange = summarise(chain([first], messages))
    return Reading.of(KernelLog(origin, first[0], events, strange))


def _kmsg(path: Path) -> Messages:
    """Read /dev/kmsg, whose records are numbered from this boot's first, 0."""
    complete = False
    for line in _lines(path):
        found = _KMSG_RECORD.match(line)
        if found:
            if not complete and int(found["sequence"]):
                raise _PartError(_OVERWRITTEN)
            complete = True
            yield int(found["microseconds"]) / 1e6, found["message"]
        elif line and not line.startswith(" "):
            yield 0.0, line  # no record, and yet it may name an error
    if not complete:
        raise _PartError("no record")


def _journal(text: str) -> Messages:
    """Read the journal's lines: time since boot, host, program, message."""
    return ((float(found["seconds"]), found["message"]) for found in _JOURNAL_LINE.finditer(text))


def _lines(path: Path) -> Iterator[str]:
    """Read what is there now, line by line, unless the kernel overwrites records while we do."""
    rest = b""
    source = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        while True:
            try:
                chunk = os.read(source, _RECORD_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno == errno.EPIPE:
                    raise _PartError(_OVERWRITTEN) from None
                raise
            if not chunk:
                break
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
    finally:
        os.close(source)
    yield rest.decode(errors="replace")
