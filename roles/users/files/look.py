"""Look at one node's users: those that are asked for, those that the role made, and which numbers are taken.

Usage: look.py '{"record": PATH, "names": [NAME, ...]}'; prints JSON. It changes nothing.
"""

from __future__ import annotations

import grp
import hashlib
import json
import os
import pwd
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
