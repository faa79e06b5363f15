"""Asks the fabric manager, which sets up NVSwitches, for its version."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Deadline, run
from ansible_collections.gpu.fleet.plugins.module_utils.observe.program import find
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

PROGRAM = "nv-fabricmanager"
_VERSION = re.compile(r"\b(\d{3,}\.\d+(?:\.\d+)?)\b")  # as drivers are numbered, whatever the words around it
_SECONDS = 5.0


def version(root: Path, deadline: Deadline) -> Reading[str]:
    """Ask the program; it is not on the node's own path where it comes in a container."""
    program = find(root, PROGRAM)
    if program is None:
        return Reading.unsupported(f"{PROGRAM} is not installed on this node")
    completed = run(version_command(program), deadline.at_most(_SECONDS))
    if completed.trouble:
        return Reading.unreadable(completed.trouble)
    return parse_version(completed.stdout + completed.stderr)


def version_command(program: str = PROGRAM) -> list[str]:
    """Build the command that prints the version and starts nothing."""
    return [program, "--version"]


def parse_version(text: str) -> Reading[str]:
    """Read what it prints."""
    found = _VERSION.search(text)
    if found:
        return Reading.of(found[1])
    return Reading.unreadable(f"{PROGRAM} --version: found {text.strip()[:80]!r}, expected 'Fabric Manager version is : ...'")
