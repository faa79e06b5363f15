"""Reads the driver's errors from the kernel log of this boot: /dev/kmsg, completed by the journal where the ring has wrapped."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Deadline, run
from ansible_collections.gpu.fleet.plugins.module_utils.observation import KernelLog
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from ansible_collections.gpu.fleet.plugins.module_utils.xid import summarise

_KMSG_RECORD = re.compile(r"\d+,(?P<sequence>\d+),(?P<microseconds>\d+),[^;]*;(?P<message>.*)")
_JOURNAL_LINE = re.compile(r"\[\s*(?P<seconds>\d+\.\d+)\] (?P<message>.*)")
_RECORD_BYTES = 1 << 16  # the kernel asks for room for one whole record, 8 KiB at most
_JOURNAL_S = 10.0

Messages = list[tuple[float, str]]


def observe(deadline: Deadline, root: Path = Path("/"), journal: str = "journalctl") -> Reading[KernelLog]:
    """Read the log; where only a part of this boot can be had, it counts as unreadable."""
    path = root / "dev/kmsg"
    try:
        data, overtaken = _read_records(path)
    except OSError as error:
        missing = f"{path}: {error.strerror}"
    else:
        messages, first = parse_kmsg(data)
        if first == 0 and not overtaken:
            return _log(str(path), messages)
        missing = f"{path}: " + ("no record" if first is None else "its oldest records are overwritten")
    completed = run(journal_command(journal), deadline.at_most(_JOURNAL_S))
    messages = parse_journal(completed.stdout)
    if completed.complaint or not messages:
        return Reading.unreadable(f"{missing}; {journal}: {completed.complaint or 'no kernel messages of this boot'}")
    return _log("journal", messages)


def journal_command(journal: str = "journalctl") -> list[str]:
    """Build the command that prints this boot's kernel messages with their time since boot."""
    return [journal, "--dmesg", "--boot", "--no-pager", "--quiet", "--output=short-monotonic"]


def parse_kmsg(data: bytes) -> tuple[Messages, int | None]:
    """Read records of /dev/kmsg; also the first sequence number (None where there is no record)."""
    messages: Messages = []
    first = None
    for line in data.decode(errors="replace").split("\n"):
        found = _KMSG_RECORD.match(line)
        if found:
            first = int(found["sequence"]) if first is None else first
            messages.append((int(found["microseconds"]) / 1e6, found["message"]))
        elif line and not line.startswith(" "):
            messages.append((0.0, line))  # no record, and yet it may name an error
    return messages, first


def parse_journal(text: str) -> Messages:
    """Read the journal's lines: time since boot, host, program, message."""
    matches = (_JOURNAL_LINE.match(line) for line in text.splitlines())
    return [(float(found["seconds"]), found["message"]) for found in matches if found]


def _log(origin: str, messages: Iterable[tuple[float, str]]) -> Reading[KernelLog]:
    messages = list(messages)
    events, strange = summarise(messages)
    return Reading.of(KernelLog(origin, messages[0][0], events, strange))


def _read_records(path: Path) -> tuple[bytes, bool]:
    """Read what is there now, and whether the kernel overwrote records while we did."""
    chunks: list[bytes] = []
    overtaken = False
    source = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        while True:
            try:
                chunk = os.read(source, _RECORD_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.EPIPE:
                    raise
                overtaken = True
                continue
            if not chunk:
                break
            chunks.append(chunk)
    finally:
        os.close(source)
    return b"".join(chunks), overtaken
