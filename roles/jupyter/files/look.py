"""Print what there is of workspaces on this node, and what the node has for them, as one line of JSON.

Usage: python3 - ASKED < look.py      (ASKED: JSON with `users`, `paths` and `data`: what the inventory's workspaces name,
and `directory`, where data is)

Printed: `units` (each workspace's unit: active and enabled states), `files` (mode and SHA-256 of what the role writes; no contents),
`containers` (name, workspace and image), `hub` (whether the role jupyter_hub was here), `docker` (what the engine says of itself),
and what module_utils/workspaces/placement.py describes: `gpus`, `no_gpus`, `claims`, `listening`, `users`, `numbers`, `homes`, `missing`,
`owners`, `free_bytes`.
Nothing is changed; what cannot be read is left out.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import pwd
import re
import shutil
import subprocess
import sys
from pathlib import Path

DIRECTORY = Path("/etc/jupyter-workspaces")
_GPU = re.compile(r"GPU (?P<index>\d+): .*\(UUID: (?P<uuid>GPU-[^)]+)\)")
_MIG = re.compile(r"\s+MIG .*Device +(?P<index>\d+): \(UUID: (?P<uuid>MIG-[^)]+)\)")
_LISTEN = "0A"
# The exit status of a workspace's entry point that was idle.
_ASLEEP = "42"


def run(*command: str, timeout_s: float = 60) -> str:
    """Return what a command prints, or nothing where it fails or is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def gpu_list() -> tuple:
    """Return what `nvidia-smi -L` lists, and why there is none."""
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False, timeout=60)  # noqa: S607
    except (OSError, subprocess.TimeoutExpired) as problem:
        return [], f"nvidia-smi -L: {problem}"
    gpus = parse_gpus(done.stdout) if done.returncode == 0 else []
    said = " ".join((done.stdout + done.stderr).split())
    return gpus, "" if gpus else f"nvidia-smi -L ended with status {done.returncode}: {said or 'nothing said'}"


def parse_units(text: str) -> dict:
    """Read `systemctl show --property=Id,ActiveState,UnitFileState,ExecMainStatus`: one block a unit, an empty line between.

    A unit is `asleep` whose workspace has ended because it was idle.
    """
    units = {}
    for block in text.strip().split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if values.get("Id"):
            state = values.get("ActiveState", "")
            slept = state == "inactive" and values.get("ExecMainStatus") == _ASLEEP
            units[values["Id"]] = f"{'asleep' if slept else state} {values.get('UnitFileState', '')}"
    return units


def parse_gpus(text: str) -> list:
    """Read `nvidia-smi -L`: a line a GPU, and an indented one for each of its MIG devices."""
    gpus: list = []
    for line in text.splitlines():
        gpu, mig = _GPU.match(line), _MIG.match(line)
        if gpu:
            gpus.append({"index": int(gpu["index"]), "uuid": gpu["uuid"], "mig": []})
        elif mig and gpus:
            gpus[-1]["mig"].append({"index": f"{gpus[-1]['index']}:{mig['index']}", "uuid": mig["uuid"]})
    return gpus


def parse_listening(text: str) -> list:
    """Read /proc/net/tcp or tcp6: the second column is address and port, in the machine's byte order by words of 32 bits."""
    found = []
    for line in text.splitlines()[1:]:
        columns = line.split()
        if columns[3] != _LISTEN:
            continue
        words, port = columns[1].split(":")
        raw = b"".join(int(words[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(words), 8))
        found.append([str(ipaddress.ip_address(raw)), int(port, 16)])
    return found


def fingerprint(path: Path) -> str:
    """Return mode and SHA-256 of a file."""
    return f"{path.stat().st_mode & 0o7777:04o} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def parse_rows(text: str) -> list:
    """Read lines of JSON."""
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def read(path: Path) -> str:
    """Return a file's text, or nothing."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


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


def homes(directory: Path, data: list) -> dict:
    """Return whose the home directories are that are there already, by the path of the data: those of nobody who is asked for, too."""
    places = {*map(Path, data), *(path.parent for path in directory.glob("*/home"))}
    return {
        str(place): [found.st_uid, found.st_gid] for place in places if (place / "home").is_dir() for found in [(place / "home").stat()]
    }


def is_missing(path: str) -> bool:
    """Say whether a directory is not there. One on a server that does not answer would hold us for minutes, so another process asks."""
    return run("sh", "-c", '[ -e "$0" ] && echo yes', path, timeout_s=10) == ""


def free_bytes(path: str) -> int:
    """Return what is free where a path is, or will be."""
    place = Path(path)
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def owners(path: str) -> dict:
    """Return who owns a path and what it lies in, as far as that is there and not root's."""
    places = {place for start in (Path(path), Path(path).resolve()) for place in (start, *start.parents) if place.exists()}
    return {str(place): place.lstat().st_uid for place in sorted(places) if place.lstat().st_uid}


def claims() -> dict:
    """Return what the role wrote down of each workspace. What cannot be read claims nothing."""
    found = {}
    for path in DIRECTORY.glob("*/claims.json"):
        try:
            found[path.parent.name] = json.loads(read(path))
        except ValueError:
            continue
    return found


def look(asked: dict) -> dict:
    """Look at everything."""
    units = sorted(Path("/etc/systemd/system").glob("jupyter-workspace-*.service"))
    files = [*units, *DIRECTORY.glob("*/*")]
    names = [path.name for path in units]
    gpus, no_gpus = gpu_list()
    rows = run(
        "docker",
        "ps",
        "--all",
        "--filter",
        "label=gpu.fleet.workspace",
        "--format",
        '["{{.Names}}", "{{.Label "gpu.fleet.workspace"}}", "{{.Image}}"]',
    )
    return {
        "units": parse_units(run("systemctl", "show", "--property=Id,ActiveState,UnitFileState,ExecMainStatus", *names)) if names else {},
        "files": {str(path): fingerprint(path) for path in files if path.is_file()},
        "containers": [{"name": name, "workspace": workspace, "image": image} for name, workspace, image in parse_rows(rows)],
        "hub": Path("/etc/systemd/system/jupyterhub.service").exists(),
        "docker": json.loads(run("docker", "info", "--format", "{{json .}}") or "{}"),
        "gpus": gpus,
        "no_gpus": no_gpus,
        "claims": claims(),
        "listening": parse_listening(read(Path("/proc/net/tcp"))) + parse_listening(read(Path("/proc/net/tcp6"))),
        "users": users(asked["users"]),
        "numbers": [account.pw_uid for account in pwd.getpwall()],
        "homes": homes(Path(asked["directory"]), asked["data"]),
        "missing": [path for path in asked["paths"] if is_missing(path)],
        "owners": {path: owners(path) for path in asked["data"]},
        "free_bytes": {path: free_bytes(path) for path in asked["data"]},
    }


if __name__ == "__main__":
    print(json.dumps(look(json.loads(sys.argv[1]))))  # noqa: T201
