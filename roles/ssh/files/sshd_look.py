"""Look at one node's SSH server: what it is, what it can do, and whether this role's settings are those that hold.

Usage: sshd_look.py CONFIG DROP_IN DIRECTORY [USER...]; prints JSON. It changes nothing. The users are those who are to be given keys.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

SSHD = "/usr/sbin/sshd"
SOCKET_DROP_IN = "/etc/systemd/system/{}.socket.d/gpu-fleet.conf"
# Ubuntu's, from 24.04 on: it makes a socket's ports from sshd's configuration.
GENERATORS = ("/usr/lib/systemd/system-generators/sshd-socket-generator", "/etc/systemd/system-generators/sshd-socket-generator")
# What /proc/self/loginuid says where nothing has noted who logged in.
NOBODY = str(2**32 - 1)

# The first OpenSSH with all settings that the role writes (PubkeyAcceptedAlgorithms); it also knows Include.
OLDEST = (8, 5)


def parse_version(text: str) -> tuple[int, int]:
    """Read `ssh -V`, such as "OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.20"."""
    found = re.search(r"OpenSSH_(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def parse_settings(text: str) -> dict[str, list[str]]:
    """Read `sshd -T`: keyword -> its values in order."""
    settings: dict[str, list[str]] = {}
    for line in text.splitlines():
        keyword, _, value = line.partition(" ")
        settings.setdefault(keyword, []).append(value)
    return settings


def includes(config: str, drop_in: str) -> bool:
    """Tell whether a configuration has an Include that reaches the drop-in file."""
    patterns = re.findall(r"(?im)^\s*include\s+(.*)$", config)
    return any(Path(drop_in).match(pattern.strip('"')) for line in patterns for pattern in line.split())


def overridden(written: str, alone: dict[str, list[str]], whole: dict[str, list[str]]) -> list[str]:
    """Compare what was written, as sshd understands it alone, with what holds in the whole configuration."""
    keywords = [line.split()[0].lower() for line in written.splitlines() if line and not line.startswith("#")]
    return [
        f"{keyword} {' '.join(whole.get(keyword, ['unset']))} (expected {' '.join(alone[keyword])})"
        for keyword in keywords
        if keyword in alone and whole.get(keyword) != alone[keyword]
    ]


def output(*command: str) -> str:
    """Run a command that only reads and return all that it prints."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60)  # noqa: S603
    return done.stdout


def parse_socket(text: str) -> tuple[bool, list[str]]:
    """Read `systemctl show -p ActiveState -p Listen` of a socket: whether it is active, and the ports that it listens on."""
    ports = re.findall(r"(?m)^Listen=(?:\S*:)?(\d+) \(Stream\)", text)
    return "ActiveState=active" in text.splitlines(), list(dict.fromkeys(ports))


def connecting(environment: dict[str, str], name: str, login_uid: str) -> str:
    """Tell as whom Ansible has logged in. Empty where the node does not say."""
    if "SSH_CONNECTION" in environment:
        return name  # nothing has changed the user since the login
    for variable in ("SUDO_USER", "DOAS_USER"):
        if environment.get(variable):
            return environment[variable]
    return name_of(int(login_uid)) if login_uid.isdigit() and login_uid != NOBODY else ""


def login_uid() -> str:
    """Read who logged in, as the kernel's audit keeps it."""
    path = Path("/proc/self/loginuid")
    return path.read_text(encoding="utf-8") if path.exists() else ""


def name_of(uid: int) -> str:
    """Return a user's name, empty if there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def groups_of(name: str) -> list[str]:
    """Return the names of a user's groups."""
    try:
        gids = os.getgrouplist(name, pwd.getpwnam(name).pw_gid)
    except KeyError:
        return []
    names = {entry.gr_gid: entry.gr_name for entry in grp.getgrall()}
    return sorted(names[gid] for gid in gids if gid in names)


def foreign(home: Path, uid: int) -> str:
    """Say why keys must not be written into a home directory. A user may have put a link in their place, which root would follow."""
    for path, kind, is_kind in ((home / ".ssh", "directory", stat.S_ISDIR), (home / ".ssh/authorized_keys", "plain file", stat.S_ISREG)):
        try:
            status = path.lstat()
        except OSError:
            return ""  # there is none yet, or only the user sees it
        # Root's own links lead where root wanted them to.
        if uid and not is_kind(status.st_mode):
            found = f"a link to {path.readlink()}" if path.is_symlink() else f"no {kind}"
            return f"found that {path} is {found}, expected a {kind} of the user's own: remove it on the node"
        if uid != status.st_uid:
            return f"found that {path} belongs to number {status.st_uid}, expected {uid}: remove it on the node, or give it to the user"
    return ""


def foreigns(names: list[str]) -> list[str]:
    """Say for which users keys must not be written, and why."""
    users = [pwd.getpwnam(name) for name in names if name not in absent(names)]
    return [f"user {entry.pw_name}: {problem}" for entry in users if (problem := foreign(Path(entry.pw_dir), entry.pw_uid))]


def absent(names: list[str]) -> list[str]:
    """Return the names that are no user's, of a directory neither."""
    found = []
    for name in names:
        try:
            pwd.getpwnam(name)
        except KeyError:
            found.append(name)
    return found


def texts(drop_in: Path, directory: Path, unit: str) -> dict[str, str]:
    """Read every file that the role may have written."""
    paths = [*sorted(path for path in directory.rglob("*") if path.is_file()), Path(SOCKET_DROP_IN.format(unit)), drop_in]
    return {str(path): path.read_text(encoding="utf-8") for path in paths if path.exists()}


def look(config: Path, drop_in: Path, directory: Path, *users: str) -> dict[str, Any]:
    """Read the node."""
    if not Path(SSHD).exists() or not config.exists():
        return {"error": f"Found no SSH server ({SSHD}, {config}). Expected OpenSSH. Next step: install the package openssh-server."}
    version = parse_version(output("ssh", "-V"))
    if version < OLDEST:
        return {"error": f"Found OpenSSH {version[0]}.{version[1]}. Expected 8.5 or later. Next step: leave the role ssh out on this node."}
    # Where sshd is started by its socket, its directory is not there before the first connection.
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    units = (unit for unit in ("ssh", "sshd") if "LoadState=loaded" in output("systemctl", "show", "-p", "LoadState", f"{unit}.service"))
    unit = next(units, "")
    files = texts(drop_in, directory, unit)
    written = files.get(str(drop_in), "")
    whole = parse_settings(output(SSHD, "-T"))
    active, ports = parse_socket(output("systemctl", "show", "-p", "ActiveState", "-p", "Listen", f"{unit}.socket"))
    if active:
        whole["port"] = ports
    alone = parse_settings(output(SSHD, "-T", "-f", str(drop_in))) if written else {}
    return {
        "openssh": ".".join(map(str, version)),
        "unit": unit,
        "socket": {"active": active, "generated": any(Path(generator).exists() for generator in GENERATORS)},
        "connects": {"user": (user := connecting(dict(os.environ), name_of(os.getuid()), login_uid())), "groups": groups_of(user)},
        "ports": [int(port) for port in whole.get("port", [])],
        "includes": includes(config.read_text(encoding="utf-8"), str(drop_in)),
        "files": files,
        "foreign": foreigns(list(users)),
        "absent": absent(list(users)),
        "overridden": overridden(written, alone, whole),
        "algorithms": {kind: output("ssh", "-Q", kind).split() for kind in ("kex", "cipher", "mac", "key-sig")},
    }


if __name__ == "__main__":
    json.dump(look(*map(Path, sys.argv[1:4]), *sys.argv[4:]), sys.stdout)
