"""Complete and check what an inventory says of shared data, and hold it against a node's fstab."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DEFAULTS: dict[str, Any] = {"writable": False, "version": "4.2", "options": []}
REQUIRED = ("path", "server", "export")
# By this option the role knows its own lines of fstab. Neither mount nor the kernel reads what begins with "x-".
MARK = "x-gpu-fleet"
_VERSIONS = ("3", "4.0", "4.1", "4.2")
_PATH = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+")
_EXPORT = re.compile(r"/|(/[^\s/]+)+")
_SERVER = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\]")
_OPTION = re.compile(r"[A-Za-z0-9_.-]+(=[^\s,]+)?")
# Where a system lives, or people do: hidden under a mount, the node is lost.
_NEVER = ("/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/proc", "/root", "/run", "/sbin", "/sys", "/tmp", "/usr", "/var")  # noqa: S108
_WITHIN_NEVER = ("/bin", "/boot", "/dev", "/etc", "/lib", "/proc", "/root", "/run", "/sbin", "/sys", "/usr")


def complete(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries with nothing left out. Raises ValueError with every mistake found, each with what was expected."""
    known = {*DEFAULTS, *REQUIRED}
    problems: list[str] = []
    mounts = []
    for number, entry in enumerate(entries, start=1):
        label = f"mount {entry.get('path') or f'number {number}'}"
        missing = [f"{label}: found no {key}, expected one" for key in REQUIRED if not entry.get(key)]
        unknown = [f"{label}: found {key}, expected one of {', '.join(sorted(known))}" for key in sorted(set(entry) - known)]
        problems += missing + unknown
        if not missing + unknown:
            mount = {**DEFAULTS, **entry}
            problems += [f"{label}: {problem}" for problem in _mistakes(mount)]
            mounts.append(mount)
    problems += _in_each_other([str(mount["path"]) for mount in mounts])
    if problems:
        raise ValueError(f"{'; '.join(problems)}. Next: correct nfs_client_mounts in the inventory. Nothing was changed")
    return mounts


def _mistakes(mount: Mapping[str, Any]) -> Iterator[str]:
    path = str(mount["path"])
    if not _PATH.fullmatch(path):
        yield f"found path {path!r}, expected an absolute one of letters, digits, _, . and -, such as /data/imagenet"
    elif path in _NEVER or path.startswith(tuple(f"{place}/" for place in _WITHIN_NEVER)):
        yield f"found path {path!r}, expected one that the system does not need, such as /data/imagenet"
    if not _SERVER.fullmatch(str(mount["server"])):
        yield f"found server {mount['server']!r}, expected a name, an IPv4 address, or an IPv6 address in brackets"
    if not _EXPORT.fullmatch(str(mount["export"])):
        yield f"found export {mount['export']!r}, expected an absolute path of the server"
    if str(mount["version"]) not in _VERSIONS:
        yield f"found version {mount['version']!r}, expected one of {', '.join(_VERSIONS)}"
    for option in mount["options"]:
        if not _OPTION.fullmatch(str(option)):
            yield f"found option {option!r}, expected one of nfs(5), such as rsize=1048576"


def _in_each_other(paths: Sequence[str]) -> Iterator[str]:
    for path in sorted({path for path in paths if paths.count(path) > 1}):
        yield f"found path {path} {paths.count(path)} times, expected each mount to have its own"
    for path in sorted(set(paths)):
        # An automount within another would wait for the outer one's server.
        for outer in sorted(other for other in set(paths) if path.startswith(f"{other}/")):
            yield f"found path {path} within {outer}, expected no mount within another"


def options(mount: Mapping[str, Any], mount_timeout_s: int, idle_timeout_s: int) -> str:
    """Return a mount's options in fstab. The inventory's own come last, where the last word is theirs."""
    version = str(mount["version"])
    writable = mount["writable"]
    chosen = [
        "rw" if writable else "ro",
        f"nfsvers={version}",
        # Reading fails after a while when the server is gone. Writing waits for it: what a program believes written must not be lost.
        *(["hard"] if writable else ["soft", "timeo=100", "retrans=2"]),
        # One attempt: systemd sets the limit, and the next one who looks tries again.
        "retry=0",
        *(["nolock"] if version == "3" and not writable else []),
        "nosuid",
        "nodev",
        "_netdev",
        "nofail",
        "noatime",
        "x-systemd.automount",
        f"x-systemd.mount-timeout={mount_timeout_s}",
        *([f"x-systemd.idle-timeout={idle_timeout_s}"] if idle_timeout_s else []),
        MARK,
        *map(str, mount["options"]),
    ]
    return ",".join(chosen)


def lines(mounts: Sequence[Mapping[str, Any]], mount_timeout_s: int, idle_timeout_s: int) -> list[dict[str, str]]:
    """Return each mount as fstab has it: ``path``, ``src`` and ``opts``."""
    return [
        {"path": str(mount["path"]), "src": f"{mount['server']}:{mount['export']}", "opts": options(mount, mount_timeout_s, idle_timeout_s)}
        for mount in mounts
    ]


def changes(wanted: Sequence[Mapping[str, str]], seen: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Say which lines to write, which mounts to end first, which to start, and which paths the node uses otherwise."""
    there = {str(line["path"]): line for line in seen}
    mine = {path: line for path, line in there.items() if MARK in str(line["opts"]).split(",")}
    paths = {line["path"] for line in wanted}
    differ = [line for line in wanted if {key: mine.get(line["path"], {}).get(key) for key in ("src", "opts")} != _only(line)]
    leaving = sorted(set(mine) - paths)
    return {
        "problems": [
            f"found that {path} is in the node's fstab already, expected it to be free" for path in sorted(paths & set(there) - set(mine))
        ],
        "write": differ,
        "leave": leaving,
        "stop": sorted({*leaving, *(line["path"] for line in differ if line["path"] in mine)}),
        "start": sorted(line["path"] for line in wanted if line in differ or not mine[line["path"]]["waits"]),
    }


def _only(line: Mapping[str, str]) -> dict[str, str]:
    return {key: line[key] for key in ("src", "opts")}
