"""Terminals are closed for silence, unless something runs in them."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

PATH = Path(__file__).parents[4] / "roles/workspace_image/files/workspace_terminals.py"


class TerminalManager:
    """What stands in for Jupyter's, which is in the image alone: it closes whatever it is asked about."""

    def __init__(self) -> None:
        self.terminals: dict[str, Any] = {}
        self.closed: list[str] = []

    async def _cull_inactive_terminal(self, name: str) -> None:
        self.closed.append(name)


@pytest.fixture
def terminals(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    manager = ModuleType("jupyter_server_terminals.terminalmanager")
    manager.TerminalManager = TerminalManager
    monkeypatch.setitem(sys.modules, "jupyter_server_terminals", ModuleType("jupyter_server_terminals"))
    monkeypatch.setitem(sys.modules, manager.__name__, manager)
    specification = importlib.util.spec_from_file_location("workspace_terminals", PATH)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def shell() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def say(shell: subprocess.Popen[str], line: str) -> None:
    """Have a shell do something, and wait until it has."""
    assert shell.stdin
    assert shell.stdout
    shell.stdin.write(f"{line}\necho done\n")
    shell.stdin.flush()
    assert shell.stdout.readline() == "done\n"


def test_a_silent_job_keeps_its_terminal(terminals: ModuleType, shell: subprocess.Popen[str]) -> None:
    manager = terminals.Terminals()
    manager.terminals["1"] = SimpleNamespace(ptyproc=SimpleNamespace(pid=shell.pid))

    say(shell, "sleep 60 > /dev/null &")
    asyncio.run(manager._cull_inactive_terminal("1"))
    assert manager.closed == []

    say(shell, "kill %1; wait %1 2> /dev/null")
    asyncio.run(manager._cull_inactive_terminal("1"))
    assert manager.closed == ["1"]


def test_a_terminal_that_is_gone_is_jupyters_business(terminals: ModuleType) -> None:
    manager = terminals.Terminals()
    asyncio.run(manager._cull_inactive_terminal("1"))
    assert manager.closed == ["1"]


@pytest.mark.parametrize(
    ("stat", "busy"),
    [
        ("40 (python) S 7 40 40 34816", True),
        ("40 (a) S 8 (b) R 7 40 40 0", True),  # the name is whatever the process likes
        ("40 (python) S 8 40 40 34816", False),
        ("40 (python) Z 7 40 40 34816", False),
    ],
)
def test_only_what_runs_and_is_the_shells_counts(terminals: ModuleType, tmp_path: Path, stat: str, *, busy: bool) -> None:
    for pid, text in {7: "7 (bash) S 1 7 7 34816", 40: stat}.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(text)
    (tmp_path / "meminfo").touch()
    (tmp_path / "41").mkdir()  # gone between the two looks
    assert terminals.has_children(7, tmp_path) is busy
