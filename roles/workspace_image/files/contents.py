"""Print what the image holds, as JSON, and fail where a module that it must have cannot be imported.

Usage: python contents.py MODULE...

Printed: `modules` (each with its version), `packages` (every Python package) and `system` (every package of the distribution).
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from importlib import metadata


def contents(modules: list[str]) -> dict:
    """Import the modules, and list the rest."""
    listing = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package}=${Version}\\n"],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    )
    return {
        "modules": {name: getattr(importlib.import_module(name), "__version__", "") for name in modules},
        "packages": {package.name: package.version for package in metadata.distributions()},
        "system": dict(line.split("=", 1) for line in listing.stdout.splitlines()),
    }


if __name__ == "__main__":
    print(json.dumps(contents(sys.argv[1:]), indent=1, sort_keys=True))  # noqa: T201
