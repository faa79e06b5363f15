"""Ask a node's apt for each list of packages on standard input, installing none of them, and print what was not as it should be.

Pinning packages are really installed and purged: apt obeys them only when they are there.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from typing import Any

OPTIONS = ("--yes", "--quiet", "--no-install-recommends", "--allow-downgrades")
# Packages of the driver's name with versions of their own.
OTHERS = re.compile(r"linux-|nvlsm|nvidia-driver-pinning")


def apt(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run apt-get."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    return subprocess.run(["apt-get", *OPTIONS, *arguments], capture_output=True, text=True, check=False, env=environment)


def problem(ask: dict[str, Any]) -> str:
    """Try one list, and return what is wrong with what apt would do."""
    result = apt("--dry-run", "install", *ask["first"], *ask["packages"])
    if (result.returncode == 0) != ask["agrees"]:
        said = f"{result.stderr.strip()} {result.stdout[-400:]}"
        return f"apt refused: {said}" if ask["agrees"] else "apt agreed, and should not"
    strangers = [
        f"{name} {version}"
        for name, version in re.findall(r"^Inst (\S+) (?:\[\S+\] )?\((\S+)", result.stdout, re.MULTILINE)
        if re.search("nvidia|cuda", name) and not OTHERS.search(name) and not version.startswith(f"{ask['driver']}-")
    ]
    return f"of another version: {', '.join(strangers)}" if strangers else ""


def main() -> None:
    """Try all, those with the same pinning package together."""
    asks = [ask for ask in json.load(sys.stdin) if "refused" not in ask]
    problems = []
    for first, together in itertools.groupby(asks, key=lambda ask: ask["first"]):
        if first and apt("install", *first).returncode:
            problems.append(f"there is no {' '.join(first)}")
        for ask in together:
            found = problem(ask)
            if found:
                problems.append(f"{ask['what']}: {found}")
        if first:
            apt("purge", *first)
    print("\n".join([*problems, f"{len(asks)} lists, {len(problems)} wrong"]))  # noqa: T201
    sys.exit(bool(problems) or not asks)


if __name__ == "__main__":
    main()
