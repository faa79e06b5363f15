"""Reads which GPU device nodes exist: /dev/nvidia0 and so on."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

_GPU_NODE = re.compile(r"nvidia(\d+)$")


def observe(root: Path = Path("/")) -> Reading[tuple[int, ...]]:
    """Read the minor numbers. Looked at after NVML, since starting NVML creates the nodes on many systems."""
    try:
        found = [_GPU_NODE.match(entry.name) for entry in (root / "dev").iterdir()]
    except OSError as error:
        return Reading.unreadable(f"{root / 'dev'}: {error.strerror}")
    return Reading.of(tuple(sorted(int(match[1]) for match in found if match)))
