"""Who has the GPUs' device nodes open, by the kernel's own account: whoever does keeps the driver's module from being unloaded."""

from __future__ import annotations

import contextlib
import pwd
from dataclasses import dataclass
from pathlib import Path

_NODES = "/dev/nvidia"


@dataclass(frozen=True)
class GpuUser:
    """A process, and which device nodes it has open."""

    pid: int
    name: str
    user: str
    nodes: tuple[str, ...]

    def __str__(self) -> str:
        """Write it as a message names it."""
        return f"{self.pid} ({self.name}, of {self.user}, {', '.join(self.nodes)})"


def gpu_users(root: Path = Path("/")) -> tuple[GpuUser, ...]:
    """List them; a process that ends meanwhile, or that this user may not look into, is left out."""
    found = []
    for folder in (root / "proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            nodes = sorted({node for each in (folder / "fd").iterdir() if (node := _target(each)).startswith(_NODES)})
            if nodes:
                name = (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
                found.append(GpuUser(int(folder.name), name, _user(folder.stat().st_uid), tuple(nodes)))
    return tuple(sorted(found, key=lambda each: each.pid))


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # closed since
        return ""


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
