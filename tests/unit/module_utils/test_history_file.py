"""The history's file: whatever lies there, a check goes on; whatever happens while it is written, a whole file is there."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils import history_file
from ansible_collections.gpu.fleet.plugins.module_utils.history import EMPTY, History
from ansible_collections.gpu.fleet.plugins.module_utils.history_file import aside, load, update
from ansible_collections.gpu.fleet.plugins.module_utils.plain import to_plain
from ansible_collections.gpu.fleet.plugins.module_utils.snapshot import take
from unit.module_utils.healthy_node import known, observation

FULL = replace(EMPTY, snapshot=known(take(observation())))
TEXT = json.dumps(to_plain(FULL))


def filled(_history: History) -> History:
    return FULL


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gpu-fleet" / "history.json"


def test_what_is_written_is_read(path: Path) -> None:
    assert load(path) == history_file.Loaded(EMPTY)
    assert update(path, filled) == ""
    assert load(path) == history_file.Loaded(FULL)
    assert path.stat().st_mode & 0o777 == 0o644
    assert [file.name for file in path.parent.iterdir()] == ["history.json"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        TEXT.encode()[: len(TEXT) // 2],
        b"\x00\xff\xfe binary \x80",
        b"[]",
        b'"text"',
        b"{}",
        b'{"schema": 1}',
        TEXT.replace('"schema": 1', '"schema": 2').encode(),
        TEXT.replace('"counters": {', '"counters": {"GPU-0": {"ecc": "many"}, "x": 7, ').encode(),
        TEXT.replace("2026-01-01T00:00:00Z", "1. Januar 2026").encode(),
        b"[" * 100_000,
        b" " * (5 << 20),
    ],
    ids=["empty", "truncated", "binary", "list", "text", "no key", "one key", "later schema", "types", "date", "deep", "large"],
)
def test_a_file_that_holds_something_else_is_set_aside_and_reported(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    found = load(path)
    assert (found.history, found.foreign) == (EMPTY, True)
    assert found.trouble.startswith(f"{path} holds no history of this check: ")
    assert path.read_bytes() == content  # reading changes nothing
    assert update(path, filled) == ""
    assert load(path).history == FULL
    assert aside(path).read_bytes() == content
    assert len(list(path.parent.iterdir())) == 2


def test_a_pipe_in_its_place_does_not_hold_the_check_up(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)
    assert "not a regular file" in load(path).trouble
    assert update(path, filled) == ""
    assert load(path).history == FULL


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.parent.write_text("a file"), "File exists"),
        (lambda path: (path.parent.mkdir(), path.parent.joinpath(".history.json.new").mkdir()), "Is a directory"),
        (lambda path: (path.parent.mkdir(), path.symlink_to(path)), "Too many levels of symbolic links"),
    ],
    ids=["a file where the folder should be", "a folder in the way", "a link to itself"],
)
def test_what_cannot_be_written_is_told(path: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(path)
    assert message in update(path, filled)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_without_permission_it_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "gpu-fleet"
    folder.mkdir(mode=0o700)
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        parent.chmod(parent.stat().st_mode | 0o111)
    pid = os.fork()
    if pid == 0:
        os.setuid(65534)
        told = (load(folder / "history.json").trouble, update(folder / "history.json", filled))
        os._exit(0 if all("Permission denied" in text for text in told) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_lock_that_is_not_given_up_costs_a_moment(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_file, "_LOCK_S", 0.1)
    path.parent.mkdir()
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert "another check has held the lock" in update(path, filled)
    finally:
        os.close(descriptor)
    assert update(path, filled) == ""


def test_two_checks_at_once_lose_nothing(path: Path) -> None:
    def one_more(history: History) -> History:
        return replace(history, repaired_at=f"2026-01-01T00:00:{int(history.repaired_at[-3:-1] or 0) + 1:02}Z")

    children = []
    for _ in range(8):
        pid = os.fork()
        if pid == 0:
            os._exit(bool(update(path, one_more)))
        children.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0] * 8
    assert load(path).history.repaired_at == "2026-01-01T00:00:08Z"


def test_a_write_that_fails_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert update(path, filled) == ""

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left on device" in update(path, lambda _history: EMPTY)
    assert load(path).history == FULL
    assert [file.name for file in path.parent.iterdir()] == ["history.json"]
