"""Look at one node's SSH server: what it is, what it can do, and whether this role's settings are those that hold.

Usage: sshd_look.py CONFIG DROP_IN; prints JSON. It changes nothing.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

SSHD = "/usr/sbin/sshd"

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


def look(config: Path, drop_in: Path) -> dict[str, Any]:
    """Read the node."""
    if not Path(SSHD).exists() or not config.exists():
        return {"error": f"Found no SSH server ({SSHD}, {config}). Expected OpenSSH. Next step: install the package openssh-server."}
    version = parse_version(output("ssh", "-V"))
    if version < OLDEST:
        return {"error": f"Found OpenSSH {version[0]}.{version[1]}. Expected 8.5 or later. Next step: leave the role ssh out on this node."}
    # Where sshd is started by its socket, its directory is not there before the first connection.
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    written = drop_in.read_text(encoding="utf-8") if drop_in.exists() else ""
    whole = parse_settings(output(SSHD, "-T"))
    alone = parse_settings(output(SSHD, "-T", "-f", str(drop_in))) if written else {}
    return {
        "openssh": ".".join(map(str, version)),
        "unit": next(
            (unit for unit in ("ssh", "sshd") if "LoadState=loaded" in output("systemctl", "show", "-p", "LoadState", f"{unit}.service")),
            "",
        ),
        "ports": [int(port) for port in whole.get("port", [])],
        "includes": includes(config.read_text(encoding="utf-8"), str(drop_in)),
        "drop_in": written,
        "overridden": overridden(written, alone, whole),
        "algorithms": {kind: output("ssh", "-Q", kind).split() for kind in ("kex", "cipher", "mac", "key-sig")},
    }


if __name__ == "__main__":
    json.dump(look(Path(sys.argv[1]), Path(sys.argv[2])), sys.stdout)
