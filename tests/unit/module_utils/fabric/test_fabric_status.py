"""A running agent from outside: followed, no longer wanted, withdrawn."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.status import Status


@pytest.fixture
def status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Status:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return Status("0123456789abcdef")


def folders(tmp_path: Path) -> list[Path]:
    return list(tmp_path.glob("*/fabric-*"))


def test_lines_are_told_as_they_come(status: Status) -> None:
    assert status.read() == {"lines": [], "ended": False}
    status.begin()
    status.tell(["round 0"])
    assert status.read() == {"lines": ["round 0"], "ended": False}
    status.end(["round 0", "over"])
    assert status.read() == {"lines": ["round 0", "over"], "ended": True}


def test_it_is_wanted_as_long_as_its_lease_is_renewed(status: Status) -> None:
    status.begin()
    long_ago = time.time() - 60
    os.utime(status._lease, (long_ago, long_ago))
    assert not status.is_wanted(30)
    assert status.is_wanted(None)  # where nobody follows, the meeting place decides
    status.renew()
    assert status.is_wanted(30)


def test_what_is_withdrawn_ends_and_leaves_nothing(status: Status, tmp_path: Path) -> None:
    status.begin()
    withdrawing = threading.Thread(target=status.withdraw, args=(10,))
    withdrawing.start()
    until = time.monotonic() + 5
    while status.is_wanted(None) and time.monotonic() < until:
        time.sleep(0.01)
    assert not status.is_wanted(None)
    assert folders(tmp_path)
    status.end(["over"])
    withdrawing.join()
    assert not folders(tmp_path)


def test_one_with_nothing_to_tell_leaves_nothing(status: Status, tmp_path: Path) -> None:
    status.begin()
    status.end([])
    assert not folders(tmp_path)


def test_what_an_interrupted_run_was_told_goes_with_a_later_run(status: Status, tmp_path: Path) -> None:
    for token, age_s in (("old", 100_000), ("other", 100)):
        told = Status(token)
        told.begin()
        told.end(["over"])
        then = time.time() - age_s
        os.utime(told._lease, (then, then))
    status.begin()
    assert sorted(folder.name for folder in folders(tmp_path)) == ["fabric-0123456789abcdef", "fabric-other"]
