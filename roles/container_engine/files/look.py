"""One look at a node's Docker engine: what is installed, what runs, and what its daemon.json becomes.

Run as `python3 - JSON < look.py`; prints JSON, changes nothing. The argument is an object:
  packages       names, with the version pattern that each is wanted at ("" for any), which also means that it is held
  files          paths, each with the text that it should have (null: only that it should be there)
  daemon_config  what daemon.json should have; a key whose value is null should not be there
"""

from __future__ import annotations

import fnmatch
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

DAEMON_JSON = "/etc/docker/daemon.json"
# What dockerd takes over on SIGHUP, by daemon/reload.go and daemon/reload_unix.go of versions 20.10 to 28. `features` is among it,
# but CDI and the image store behind it are set up when the daemon starts.
RELOADABLE = {
    "allow-nondistributable-artifacts",
    "debug",
    "default-runtime",
    "insecure-registries",
    "labels",
    "live-restore",
    "max-concurrent-downloads",
    "max-concurrent-uploads",
    "max-download-attempts",
    "registry-mirrors",
    "runtimes",
    "shutdown-timeout",
}
VALIDATES_SINCE = 23

Config = dict[str, Any]


def parse(text: str) -> Config:
    """Read daemon.json; an empty one is what dockerd takes it for, an empty object."""
    if not text.strip():
        return {}
    try:
        config = json.loads(text)
    except json.JSONDecodeError as error:
        found = f"line {error.lineno}, column {error.colno}: {error.msg}"
    else:
        if isinstance(config, dict):
            return config
        found = f"a JSON {type(config).__name__}"
    raise ValueError(
        f"Found {DAEMON_JSON} that Docker cannot read ({found}), expected a JSON object. Nothing was changed. "
        f"Correct or remove the file on the node, then run again: python3 -m json.tool {DAEMON_JSON} shows the place."
    )


def merge(old: Config, new: Config) -> Config:
    """Put the new keys over the old ones, objects within objects likewise; null removes a key."""
    merged = dict(old)
    for key, value in new.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            below = merged.get(key)
            merged[key] = merge(below if isinstance(below, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def needs_restart(old: Config, new: Config) -> bool:
    """Whether SIGHUP is not enough: a setting that only a start reads, or one taken away (a reload keeps its last value)."""
    changed = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    return bool(changed - RELOADABLE or old.keys() - new.keys())


def daemon_json(text: str, wanted: Config) -> dict[str, Any]:
    """Decide what to do about daemon.json: its text stays as it is, white space and all, unless its meaning changes."""
    old = parse(text)
    new = merge(old, wanted)
    return {
        "old": text,
        "new": text if new == old else json.dumps(new, indent=4, sort_keys=True) + "\n",
        "differs": new != old,
        "restart": needs_restart(old, new),
    }


def packages_differ(status: str, wanted: dict[str, str]) -> list[str]:
    """List the packages that are not there, not at the wanted version, or not held although a version is wanted.

    `status` is what dpkg-query prints for the format '${Package} ${Version} ${db:Status-Want} ${db:Status-Status}'.
    """
    rows = (line.split() for line in status.splitlines())
    installed = {row[0]: (row[1], row[2] == "hold") for row in rows if row[3:] == ["installed"]}
    return [
        name
        for name, version in wanted.items()
        if name not in installed or (version and (not fnmatch.fnmatch(installed[name][0], version) or not installed[name][1]))
    ]


def text_differs(found: str | None, wanted: str | None) -> bool:
    """Whether a file has to be written; without a wanted text it only has to be there."""
    return found is None or wanted not in (None, found)


def validates(version: str) -> bool:
    """Whether this dockerd has --validate, by what it prints for --version."""
    found = re.search(r"version (\d+)\.", version)
    return found is not None and int(found.group(1)) >= VALIDATES_SINCE


def read(path: str) -> str | None:
    """Read a file; None where there is none."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def run(*command: str) -> tuple[int, str]:
    """Run a command that only reads: its status and standard output."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)  # noqa: S603 - fixed commands
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return 127, ""
    return done.returncode, done.stdout


def main() -> None:
    """Look, and print what was seen."""
    wanted = json.loads(sys.argv[1])
    status = run("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Want} ${db:Status-Status}\n", *wanted["packages"])[1]
    packages = packages_differ(status, wanted["packages"])
    files = [path for path, text in wanted["files"].items() if text_differs(read(path), text)]
    active = run("systemctl", "is-active", "--quiet", "docker.service")[0] == 0
    try:
        daemon = daemon_json(read(DAEMON_JSON) or "", wanted["daemon_config"])
    except ValueError as error:
        sys.exit(str(error))
    look = {
        "packages_differ": packages,
        "files_differ": files,
        "installed": not packages and not files,
        "daemon_json": daemon,
        "directory": Path(DAEMON_JSON).parent.is_dir(),
        "validates": validates(run("dockerd", "--version")[1]),
        "active": active,
        "healthy": active and run("systemctl", "is-enabled", "--quiet", "docker.service")[0] == 0 and run("docker", "version")[0] == 0,
    }
    sys.stdout.write(json.dumps(look))


if __name__ == "__main__":
    main()
