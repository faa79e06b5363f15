"""Finds the programs of a node, in the path and where packages put what only root runs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_ALSO = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")


def find(root: Path, name: str) -> str | None:
    """Return the program's path, None where the node has none."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), *_ALSO]
    return shutil.which(name, path=os.pathsep.join(str(root / folder.lstrip("/")) for folder in folders if folder))
