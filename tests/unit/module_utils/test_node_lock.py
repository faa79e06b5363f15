"""The lock of a node: one run at a time, by whom is told, and only who is known to be gone is replaced."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.node_lock import ForeignLockError, Holder, read, release, take

ALICE = Holder("alice@admin1", 11, "upgrade", "2026-01-01T00:00:00Z")
BOB = Holder("bob@admin2", 11, "upgrade", "2026-01-01T01:00:00Z")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gpu-fleet" / "lock"


def test_one_at_a_time(path: Path) -> None:
    assert take(path, ALICE) is None
    assert take(path, BOB) == ALICE
    assert read(path) == ALICE
    assert not release(path, BOB)
    assert release(path, ALICE)
    assert take(path, BOB) is None


def test_the_same_run_holds_it_once(path: Path) -> None:
    take(path, ALICE)
    again = replace(ALICE, purpose="measure", since="2026-01-01T02:00:00Z")
    assert take(path, again) == ALICE
    assert read(path) == ALICE
    assert release(path, again)
    assert not release(path, again)


def test_only_who_is_gone_is_replaced(path: Path) -> None:
    take(path, ALICE)
    later = replace(ALICE, process=12)
    assert take(path, later) == ALICE
    assert take(path, later, instead_of=replace(ALICE, since="2025-12-31T00:00:00Z")) == ALICE  # another one since
    assert take(path, later, instead_of=ALICE) is None
    assert read(path) == later


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"owner": 1, "process": 2, "purpose": "", "since": ""}', "\0"])
def test_what_is_no_lock_is_nobodys(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    for step in (lambda: take(path, ALICE), lambda: release(path, ALICE)):
        with pytest.raises(ForeignLockError, match="expected one: see whose it is"):
            step()
    assert path.read_text() == text


def _try(path: Path, process: int) -> bool:
    return take(path, replace(ALICE, process=process)) is None


def test_of_many_one_gets_it(path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        won = pool.starmap(_try, [(path, process) for process in range(40)])
    assert won.count(True) == 1
    assert sorted(path.parent.iterdir()) == [path]
