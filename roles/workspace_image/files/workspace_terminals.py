"""Terminals of JupyterLab that are not closed while something runs in them, however silent it is."""

from __future__ import annotations

import contextlib
from pathlib import Path

from jupyter_server_terminals.terminalmanager import TerminalManager

# The states of a process that has ended and waits to be reaped.
ENDED = (b"Z", b"X")


def has_children(parent: int, processes: Path = Path("/proc")) -> bool:
    """Say whether a process has a child that has not ended: of a shell, a command that runs, in the background or not."""
    for process in processes.iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                # It says pid, name in parentheses, state, parent and more.
                state, ppid = (process / "stat").read_bytes().rpartition(b") ")[2].split()[:2]
                if state not in ENDED and int(ppid) == parent:
                    return True
    return False


class Terminals(TerminalManager):
    """JupyterLab's own, which goes by what is typed and printed alone: `python train.py > log` would be killed for its silence."""

    async def _cull_inactive_terminal(self, name: str) -> None:
        """Close a terminal that was silent for long enough, unless its shell has work."""
        terminal = self.terminals.get(name)
        if terminal is None or not has_children(terminal.ptyproc.pid):
            await super()._cull_inactive_terminal(name)
