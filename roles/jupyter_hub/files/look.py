"""Print what there is of the hub on this node, and what the node has for it, as one line of JSON.

Usage: python3 - ASKED < look.py      (ASKED: JSON with `names` of users, `datasets`, `data_directory`, `python` and `network`)

Printed: `active` (the hub and its socket run and are enabled), `files` (mode and SHA-256 of what the role writes; no contents), `lock`
(SHA-256 of the lock file that the environment was made of, if it is whole), `python` (the version of `python`), `network` (the subnet of
the Docker network), `containers` (of users: name and user), `local` (the names that are the node's own accounts, and not a directory's),
`shadow` (the group that may read the hashes of these accounts), `missing` (the data sets that are not there or do not answer),
`docker` (what the engine says of itself), and what module_utils/workspaces/hub.py describes: `users`, `homes`, `addresses`. Nothing is
changed; what cannot be read is left out.
"""

from __future__ import annotations

import grp
import hashlib
import json
import pwd
import subprocess
import sys
from pathlib import Path

UNITS = ("jupyterhub.service", "jupyterhub-api.socket")
CONFIGURATION = Path("/etc/jupyterhub")
PROGRAMS = Path("/opt/jupyterhub")


def run(*command: str, timeout_s: float = 60) -> str:
    """Return what a command prints, or nothing where it fails or is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def fingerprint(path: Path) -> str:
    """Return mode and SHA-256 of a file."""
    return f"{path.stat().st_mode & 0o7777:04o} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def users(names: list) -> dict:
    """Return the numbers of the users that the node knows, and of their groups."""
    found = {}
    for name in names:
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        found[name] = [account.pw_uid, account.pw_gid]
    return found


def local(names: list) -> list:
    """Return which of the names are in the node's own list of accounts."""
    own = {line.split(":")[0] for line in Path("/etc/passwd").read_text(encoding="utf-8").splitlines()}
    return [name for name in names if name in own]


def shadow() -> str:
    """Return the group that may read the hashes of the node's own accounts: Debian and Ubuntu have one, the RHEL family has none."""
    status = Path("/etc/shadow").stat()
    return grp.getgrgid(status.st_gid).gr_name if status.st_gid and status.st_mode & 0o040 else ""


def homes(directory: Path) -> dict:
    """Return whose the home directories are that are there already: those of users who are not asked for, too."""
    return {path.parent.name: [path.stat().st_uid, path.stat().st_gid] for path in directory.glob("*/home") if path.is_dir()}


def addresses() -> dict:
    """Return the addresses that users have."""
    try:
        settings = json.loads((CONFIGURATION / "settings.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {name: user["address"] for name, user in settings["users"].items()}


def is_missing(path: str) -> bool:
    """Say whether a directory is not there. One on a server that does not answer would hold us for minutes, so another process asks."""
    return run("sh", "-c", '[ -d "$0" ] && echo yes', path, timeout_s=10) == ""


def containers() -> list:
    """Return the containers of users."""
    rows = run(
        "docker", "ps", "--all", "--filter", "label=gpu.fleet.hub.user", "--format", '["{{.Names}}", "{{.Label "gpu.fleet.hub.user"}}"]'
    )
    return [dict(zip(("name", "user"), json.loads(row))) for row in rows.splitlines()]


def look(asked: dict) -> dict:
    """Look at everything."""
    units = [Path("/etc/systemd/system") / name for name in (*UNITS, "jupyterhub-api.service")]
    files = [*units, *PROGRAMS.glob("*.*"), *CONFIGURATION.glob("*.json"), *CONFIGURATION.glob("users/*/*")]
    lock = PROGRAMS / "requirements.lock"
    return {
        "active": run("systemctl", "is-active", *UNITS).split() == ["active"] * 2
        and run("systemctl", "is-enabled", *UNITS).split() == ["enabled"] * 2,
        "files": {str(path): fingerprint(path) for path in files if path.is_file()},
        "lock": hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else "",
        "python": run(asked["python"], "-c", "import sys; print('%d.%d' % sys.version_info[:2])"),
        "network": run("docker", "network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", asked["network"]),
        "containers": containers(),
        "users": users(asked["names"]),
        "local": local(asked["names"]),
        "shadow": shadow(),
        "missing": [path for path in asked["datasets"] if is_missing(path)],
        "docker": json.loads(run("docker", "info", "--format", "{{json .}}") or "{}"),
        "homes": homes(Path(asked["data_directory"])),
        "addresses": addresses(),
    }


if __name__ == "__main__":
    print(json.dumps(look(json.loads(sys.argv[1]))))  # noqa: T201
