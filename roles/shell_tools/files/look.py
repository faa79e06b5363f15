"""Look at what people at the shell find on a node.

Usage: look.py '{"packages": [...], "nvitop": DIRECTORY}'; prints JSON. It changes nothing.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

LINK = Path("/usr/local/bin/nvitop")


def output(*command: str) -> str:
    """Run a command that only reads and return what it prints."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False, timeout=60)  # noqa: S603
    return done.stdout


def installed(packages: list[str]) -> set[str]:
    """Say which packages are there."""
    if shutil.which("dpkg-query"):
        lines = output("dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\n", *packages).splitlines()
        return {name for state, _, name in (line.partition(" ") for line in lines) if state == "installed"}
    return set(output("rpm", "--query", "--queryformat", "%{NAME}\n", *packages).splitlines()) & set(packages)


def offered(policy: str) -> bool:
    """Read `apt-cache policy PACKAGE`: whether a source has it."""
    candidates = [line.split(":", 1)[1].strip() for line in policy.splitlines() if line.strip().startswith("Candidate:")]
    return any(candidate != "(none)" for candidate in candidates)


def look(packages: list[str], directory: Path) -> dict[str, Any]:
    """Read the node."""
    there = installed([*packages, "nvitop"])
    mark = directory / "requirements.txt"
    # The mark is written last: an installation that was cut off is begun anew.
    whole = mark.exists() and LINK.is_symlink() and Path(LINK).resolve() == (directory / "bin" / "nvitop").resolve()
    return {
        "missing": [package for package in packages if package not in there],
        "nvitop_installed": "nvitop" in there,
        "nvitop_offered": shutil.which("apt-cache") is not None and offered(output("apt-cache", "policy", "nvitop")),
        "nvitop_requirements": mark.read_text(encoding="utf-8").split() if whole else [],
        "nvitop_ours": directory.exists(),
    }


if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    json.dump(look(request["packages"], Path(request["nvitop"])), sys.stdout)
