"""Reads which daemons run, by the names that the kernel knows them by, and what limits one of them has."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import UNLIMITED, Limits
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

FABRIC_MANAGER = "nv-fabricmanager"
TIME = ("chronyd", "ntpd", "ntpsec", "systemd-timesyncd", "phc2sys", "openntpd")
CONTAINERS = ("containerd", "dockerd", "crio")  # containers inherit the limits of the first of these that runs
_KERNEL_CUTS_AT = 15
_NAMES = {name[:_KERNEL_CUTS_AT]: name for name in (FABRIC_MANAGER, *TIME, *CONTAINERS)}


def observe(root: Path) -> Reading[dict[str, int]]:
    """Look through all processes. Where this user sees only his own, nothing is known of the others."""
    folder = root / "proc"
    found: dict[str, int] = {}
    sees_others = False
    try:
        for process in folder.iterdir():
            if not process.name.isdigit():
                continue
            try:
                name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
            except OSError:
                continue  # it ended while we looked, or is not ours to see
            sees_others = sees_others or process.name == "1"
            if name in _NAMES:
                known = _NAMES[name]  # the machine sees the daemons of its containers too: its own came first
                found[known] = min(int(process.name), found.get(known, int(process.name)))
    except OSError as error:
        return Reading.unreadable(f"{folder}: {error.strerror}")
    return Reading.of(found) if sees_others else Reading.unreadable(f"{folder} hides the processes of others (hidepid): run this as root")


def limits(root: Path, running: Reading[dict[str, int]]) -> Reading[Limits]:
    """Read what containers inherit; where no engine runs, what this process has."""
    engines = running.value if running.is_known else {}
    of, process = next(((name, str(engines[name])) for name in CONTAINERS if name in engines), ("this check", "self"))
    path = root / "proc" / process / "limits"
    try:
        return parse_limits(path.read_text(encoding="ascii"), of)
    except FileNotFoundError:
        return Reading.unsupported(f"{path} does not exist")
    except (OSError, ValueError) as error:
        return Reading.unreadable(f"{path}: {error}")


def parse_limits(text: str, of: str) -> Reading[Limits]:
    """Read the soft limits from /proc/<process>/limits."""
    soft = dict(re.findall(r"^(Max .*?)\s{2,}(unlimited|\d+)\s", text, re.MULTILINE))
    try:
        memlock, files = (UNLIMITED if soft[name] == "unlimited" else int(soft[name]) for name in ("Max locked memory", "Max open files"))
    except KeyError as error:
        return Reading.unreadable(f"found no line {error}, expected it among the process's limits")
    return Reading.of(Limits(of, memlock, files))
