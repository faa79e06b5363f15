"""Print what there is of workspaces on this node, as one line of JSON.

Usage: python3 - IMAGE_REPOSITORY < look.py

Printed: `units` (each workspace's unit: active and enabled states), `files` (mode and SHA-256 of what the role writes; no contents),
`containers` (name and workspace), `images` (those of the repository) and `docker` (what the engine says of itself). Nothing is changed;
what cannot be read is left out.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path


def run(*command: str) -> str:
    """Return what a command prints, or nothing where it fails or is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def parse_units(text: str) -> dict:
    """Read `systemctl show --property=Id,ActiveState,UnitFileState`: one block a unit, an empty line between."""
    units = {}
    for block in text.strip().split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if values.get("Id"):
            units[values["Id"]] = f"{values.get('ActiveState', '')} {values.get('UnitFileState', '')}"
    return units


def fingerprint(path: Path) -> str:
    """Return mode and SHA-256 of a file."""
    return f"{path.stat().st_mode & 0o7777:04o} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def parse_rows(text: str) -> list:
    """Read lines of JSON."""
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def look(repository: str) -> dict:
    """Look at everything."""
    units = sorted(Path("/etc/systemd/system").glob("jupyter-workspace-*.service"))
    files = [*units, *Path("/etc/jupyter-workspaces").glob("*/*")]
    names = [path.name for path in units]
    rows = run(
        "docker", "ps", "--all", "--filter", "label=gpu.fleet.workspace", "--format", '["{{.Names}}", "{{.Label "gpu.fleet.workspace"}}"]'
    )
    return {
        "units": parse_units(run("systemctl", "show", "--property=Id,ActiveState,UnitFileState", *names)) if names else {},
        "files": {str(path): fingerprint(path) for path in files if path.is_file()},
        "containers": [{"name": name, "workspace": workspace} for name, workspace in parse_rows(rows)],
        "images": run("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", repository).split(),
        "docker": json.loads(run("docker", "info", "--format", "{{json .}}") or "{}"),
    }


if __name__ == "__main__":
    print(json.dumps(look(sys.argv[1])))  # noqa: T201
