"""Look at one node's users: those that are asked for, those that the role made, and which numbers are taken.

Usage: look.py '{"record": PATH, "names": [NAME, ...]}'; prints JSON. It changes nothing.
"""

from __future__ import annotations

import grp
import hashlib
import json
import os
import pwd
import stat
import sys
from pathlib import Path
from typing import Any

LINGER = "/var/lib/systemd/linger"
# What /proc/self/loginuid says where nothing has noted who logged in.
NOBODY = str(2**32 - 1)


def connecting(environment: dict[str, str], name: str, login_uid: str) -> str:
    """Tell as whom Ansible has logged in. Empty where the node does not say."""
    if "SSH_CONNECTION" in environment:
        return name  # nothing has changed the user since the login
    for variable in ("SUDO_USER", "DOAS_USER"):
        if environment.get(variable):
            return environment[variable]
    return name_of(int(login_uid)) if login_uid.isdigit() and login_uid != NOBODY else ""


def name_of(uid: int) -> str:
    """Return a user's name, empty if there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def text_of(path: Path) -> str:
    """Read a file, empty if it is not there or is no plain file: a user may have put anything in its place."""
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    except OSError:
        return ""


def key_digests(text: str) -> list[str]:
    """Digest each key of an authorized_keys file. The text itself stays on the node: it may be a link to anything."""
    lines = (line.strip() for line in text.splitlines())
    return sorted(hashlib.sha256(line.encode()).hexdigest() for line in lines if line and not line.startswith("#"))


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


def look(record: Path, names: list[str]) -> dict[str, Any]:
    """Read the node."""
    remembered: dict[str, Any] = json.loads(text_of(record) or '{"users": {}, "groups": [], "former": {}}')
    everyone = {entry.pw_name: entry for entry in pwd.getpwall()}
    teams = grp.getgrall()
    return {
        "record": remembered,
        "users": {
            name: {
                "uid": entry.pw_uid,
                "comment": entry.pw_gecos,
                "shell": entry.pw_shell,
                "home": entry.pw_dir,
                "groups": sorted(team.gr_name for team in teams if name in team.gr_mem),
                "keys": key_digests(text_of(Path(entry.pw_dir) / ".ssh" / "authorized_keys")),
                "foreign": foreign(Path(entry.pw_dir), entry.pw_uid),
                "linger": Path(LINGER, name).exists(),
            }
            for name, entry in everyone.items()
            if name in {*names, *remembered["users"]}
        },
        "uids": {str(entry.pw_uid): entry.pw_name for entry in everyone.values()},
        "groups": {team.gr_name: team.gr_gid for team in teams},
        "connects_as": connecting(dict(os.environ), name_of(os.getuid()), text_of(Path("/proc/self/loginuid"))),
        "sudo": Path("/usr/sbin/visudo").exists(),
    }


if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    json.dump(look(Path(request["record"]), request["names"]), sys.stdout)
