"""The lock of a node: one run at a time, by whom is told, and only who is known to be gone is replaced."""

from __future__ import annotations

import json
import multiprocessing
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.node_lock import (
    ForeignLockError,
    Holder,
    controller,
    is_gone,
    read,
    release,
    started,
    take,
)

BOOT, NAMESPACE = "5d1c2e6a-7f1b-4a5e-9a4c-0d7f6f0b7c11", "pid:[4026531836]"
HERE = f"{BOOT} {NAMESPACE}"
ALICE = Holder("alice@admin1", 11, "upgrade", "2026-01-01T00:00:00Z", HERE, "81215")
BOB = Holder("bob@admin2", 11, "upgrade", "2026-01-01T01:00:00Z", "another boot pid:[4026531836]", "81215")


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


def test_what_another_tool_wrote_is_held_by_whom_it_names(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps({"owner": ALICE.owner, "process": ALICE.process, "purpose": "maintenance", "since": ""}))
    holder = take(path, ALICE)
    assert holder == Holder(ALICE.owner, ALICE.process, "maintenance", "")
    assert not holder.is_same_run(ALICE)
    assert not release(path, ALICE)


@pytest.mark.parametrize("other", [{"started": "90001"}, {"controller": f"{BOOT} pid:[4026532500]"}, {"process": 12}])
def test_a_number_that_was_used_before_or_elsewhere_is_another_run(path: Path, other: dict[str, Any]) -> None:
    run = replace(ALICE, **other)
    take(path, ALICE)
    assert take(path, run) == ALICE
    assert not ALICE.is_same_run(run)
    assert not release(path, run)


def process(proc: Path, number: int, began: str, state: str = "S") -> None:
    (proc / str(number)).mkdir(exist_ok=True)
    fields = [state, *["0"] * 18, began, *["0"] * 30]
    (proc / str(number) / "stat").write_text(f"{number} (ansible) (1)) {' '.join(fields)}\n")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    proc = tmp_path / "proc"
    (proc / "sys/kernel/random").mkdir(parents=True)
    (proc / "sys/kernel/random/boot_id").write_text(f"{BOOT}\n")
    process(proc, os.getpid(), "90000")
    (proc / "self").symlink_to(str(os.getpid()))
    (proc / "self/ns").mkdir()
    (proc / "self/ns/pid").symlink_to(NAMESPACE)
    return proc


def test_a_run_is_gone_where_its_process_is_not_there_or_is_another(proc: Path) -> None:
    assert controller(proc) == HERE
    assert is_gone(ALICE, ALICE.owner, proc)
    process(proc, ALICE.process, ALICE.started)
    assert not is_gone(ALICE, ALICE.owner, proc)
    process(proc, ALICE.process, "90001")
    assert is_gone(ALICE, ALICE.owner, proc)
    process(proc, ALICE.process, ALICE.started, state="Z")
    assert is_gone(ALICE, ALICE.owner, proc)


@pytest.mark.parametrize(
    "holder",
    [
        replace(ALICE, controller=f"{BOOT} pid:[4026532500]"),
        replace(ALICE, controller=f"another boot {NAMESPACE}"),
        replace(ALICE, owner="bob@admin1"),
        replace(ALICE, controller="", started=""),
        replace(ALICE, started=""),
    ],
    ids=["a container of the same name", "before a boot or elsewhere", "somebody else", "an unknown controller", "an unknown start"],
)
def test_what_cannot_be_known_to_be_gone_is_not(proc: Path, holder: Holder) -> None:
    assert not is_gone(holder, ALICE.owner, proc)


def test_a_controller_without_proc_or_with_that_of_others_knows_nothing(tmp_path: Path, proc: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert (controller(nowhere), started(11, nowhere)) == ("", "")
    unknown = replace(ALICE, controller="", started="")
    assert not is_gone(unknown, ALICE.owner, nowhere)
    assert unknown.is_same_run(replace(unknown, purpose="measure"))
    (proc / "self").unlink()
    process(proc, 999999, "1")
    (proc / "self").symlink_to("999999")
    assert controller(proc) == ""


def test_this_machine_is_known() -> None:
    assert controller().count(" ") == 1
    assert started(os.getpid()).isdecimal()


def _try(path: Path, process: int) -> bool:
    return take(path, replace(ALICE, process=process)) is None


def test_of_many_one_gets_it(path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        won = pool.starmap(_try, [(path, process) for process in range(40)])
    assert won.count(True) == 1
    assert sorted(path.parent.iterdir()) == [path]
