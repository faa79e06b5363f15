"""The kernel log: whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Deadline
from ansible_collections.gpu.fleet.plugins.module_utils.observe import kernel_log

RECORDS = (
    b"5,0,0,-;Linux version 6.1.0-28-amd64\n"
    b"6,1,1000000,-;NVRM: loading NVIDIA UNIX x86_64 Kernel Module  535.261.03\n"
    b" SUBSYSTEM=pci\n DEVICE=+pci:0000:1b:00.0\n"
    b"3,2,2500000,-;NVRM: Xid (PCI:0000:1b:00): 79, pid=1, name=python, GPU has fallen off the bus.\n"
    b"4,3,3000000,c;\xff\xfe rubbish \x00 between\n"
    b"3,4,4000000,-,caller=T1;NVRM: Xid (PCI:0000:1b:00): 79, again\n"
)
JOURNAL = (
    "[    0.000000] node1 kernel: Linux version 6.1.0-28-amd64\n"
    "[    2.500000] node1 kernel: NVRM: Xid (PCI:0000:1b:00): 79, GPU has fallen off the bus.\n"
)


def root_with(folder: Path, records: bytes | None) -> Path:
    (folder / "dev").mkdir()
    if records is not None:
        (folder / "dev/kmsg").write_bytes(records)
    return folder


def journal(folder: Path, output: str = "", status: int = 0) -> str:
    program = folder / "journalctl"
    (folder / "output").write_text(output)
    program.write_text(f'#!/bin/sh\necho "$@" > {folder}/arguments\ncat {folder}/output\nexit {status}\n')
    program.chmod(0o755)
    return str(program)


def test_a_whole_log_needs_no_journal(tmp_path: Path) -> None:
    log = kernel_log.observe(Deadline(5), root_with(tmp_path, RECORDS), journal="no-such-journal").value
    assert [(event.code, event.pci_id, event.count, event.first_s, event.last_s) for event in log.events] == [
        (79, "00000000:1b:00.0", 2, 2.5, 4.0)
    ]
    assert (log.origin.endswith("kmsg"), log.since_s, log.not_understood) == (True, 0.0, ())


@pytest.mark.parametrize("records", [None, b"", RECORDS.split(b"\n", 1)[1]], ids=["absent", "empty", "overwritten"])
def test_the_journal_completes_it(tmp_path: Path, records: bytes | None) -> None:
    program = journal(tmp_path, JOURNAL)
    log = kernel_log.observe(Deadline(5), root_with(tmp_path, records), program).value
    assert (log.origin, [event.code for event in log.events]) == ("journal", [79])
    assert (tmp_path / "arguments").read_text().split() == kernel_log.journal_command()[1:]


@pytest.mark.parametrize(("output", "status"), [("", 0), ("", 1), (JOURNAL, 1), ("-- No entries --\n", 0)])
def test_without_either_it_is_unreadable(tmp_path: Path, output: str, status: int) -> None:
    reading = kernel_log.observe(Deadline(5), root_with(tmp_path, RECORDS.split(b"\n", 1)[1]), journal(tmp_path, output, status))
    assert reading.is_unreadable
    assert "overwritten" in reading.why
    assert "journalctl" in reading.why


def test_no_journal_at_all(tmp_path: Path) -> None:
    reading = kernel_log.observe(Deadline(5), root_with(tmp_path, None), journal="no-such-journal")
    assert "No such file" in reading.why
    assert "no-such-journal could not be started" in reading.why


def test_a_journal_that_hangs_is_left(tmp_path: Path) -> None:
    program = tmp_path / "journalctl"
    program.write_text("#!/bin/sh\nsleep 60\n")
    program.chmod(0o755)
    assert "no answer within" in kernel_log.observe(Deadline(0.3), root_with(tmp_path, None), str(program)).why


def test_a_log_device_gives_one_record_at_a_time(tmp_path: Path) -> None:
    """A pipe that stays open behaves as the device does: it gives what it has, then says that there is no more for now."""
    (tmp_path / "dev").mkdir()
    os.mkfifo(tmp_path / "dev/kmsg")
    keep = os.open(tmp_path / "dev/kmsg", os.O_RDWR)
    try:
        os.write(keep, RECORDS)
        log = kernel_log.observe(Deadline(5), tmp_path, journal="no-such-journal").value
    finally:
        os.close(keep)
    assert [event.count for event in log.events] == [2]


def test_a_line_that_is_no_record_is_not_lost(tmp_path: Path) -> None:
    log = kernel_log.observe(Deadline(5), root_with(tmp_path, RECORDS + b"NVRM: Xid (PCI:0000:43:00): 48, DBE\n"), "none").value
    assert [event.code for event in log.events] == [79, 48]


def test_a_record_that_comes_in_two_parts_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_log, "_RECORD_BYTES", 50)
    log = kernel_log.observe(Deadline(5), root_with(tmp_path, RECORDS), journal="no-such-journal").value
    assert [(event.code, event.count) for event in log.events] == [(79, 2)]
    assert log.not_understood == ()


def test_a_log_that_is_overwritten_while_it_is_read_is_not_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def overtaken(_source: int, _size: int) -> bytes:
        monkeypatch.undo()
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("os.read", overtaken)
    reading = kernel_log.observe(Deadline(5), root_with(tmp_path, RECORDS), journal="/nonexistent/journalctl")
    assert reading.is_unreadable
    assert "its oldest records are overwritten" in reading.why
