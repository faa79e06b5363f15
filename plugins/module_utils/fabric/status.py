"""What is known of a running agent from outside: a folder on its node, with what the search tells, and whether it is still wanted."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils import whole_file

_LOOK_S = 0.2
_NAME = "fabric-"
_STALE_S = 86400.0


@dataclass(frozen=True)
class Status:
    """The folder of one run on one node. Nobody else can guess its name: the token is the controller's."""

    token: str

    def begin(self) -> None:
        """Say that the agent runs, and is wanted. What was told to nobody, since the run was interrupted just then, goes."""
        for lease in self._folder.parent.glob(f"{_NAME}*/lease"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - lease.stat().st_mtime > _STALE_S:
                    shutil.rmtree(lease.parent, ignore_errors=True)
        self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._running.touch()
        self._lease.touch()

    def end(self, lines: Sequence[str]) -> None:
        """Say that it has ended. Where there is nothing to tell, or nobody to tell it to, nothing stays."""
        if lines:
            self.tell(lines, ended=True)
            self._running.unlink(missing_ok=True)
        else:
            self.remove()

    def tell(self, lines: Sequence[str], *, ended: bool = False) -> None:
        """Replace what is told."""
        whole_file.write(self._told, json.dumps({"lines": list(lines), "ended": ended}).encode())

    def read(self) -> dict[str, Any]:
        """Read what has been told so far."""
        try:
            told: dict[str, Any] = json.loads(self._told.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {"lines": [], "ended": False}
        return told

    def renew(self) -> None:
        """Say that it is still wanted, where it runs."""
        if self._lease.exists():
            self._lease.touch()

    def is_wanted(self, lease_s: float | None) -> bool:
        """Say whether to go on; with a lease, somebody must have renewed it lately."""
        if self._withdrawn.exists() or not self._lease.exists():
            return False
        return lease_s is None or time.time() - self._lease.stat().st_mtime < lease_s

    def withdraw(self, wait_s: float) -> None:
        """Have it end, wait for that, and remove the folder."""
        if self._running.exists():
            self._withdrawn.touch()
        until = time.monotonic() + wait_s
        while self._running.exists() and time.monotonic() < until:
            time.sleep(_LOOK_S)
        self.remove()

    def remove(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _folder(self) -> Path:
        parent = Path("/run/gpu-fleet") if os.geteuid() == 0 else Path(tempfile.gettempdir()) / f"gpu-fleet-{os.geteuid()}"
        return parent / f"{_NAME}{self.token}"

    @property
    def _told(self) -> Path:
        return self._folder / "told.json"

    @property
    def _running(self) -> Path:
        return self._folder / "running"

    @property
    def _lease(self) -> Path:
        return self._folder / "lease"

    @property
    def _withdrawn(self) -> Path:
        return self._folder / "withdrawn"
