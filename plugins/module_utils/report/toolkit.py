"""Which version of the toolkit made a report."""

from __future__ import annotations

import json
from pathlib import Path

import yaml


def toolkit_version(collection: Path) -> str:
    """Return the collection's version: from galaxy.yml in the tree and the wheel, from MANIFEST.json where ansible-galaxy installed it."""
    try:
        return str(yaml.safe_load((collection / "galaxy.yml").read_text(encoding="utf-8"))["version"])
    except FileNotFoundError:
        pass
    try:
        return str(json.loads((collection / "MANIFEST.json").read_text(encoding="utf-8"))["collection_info"]["version"])
    except FileNotFoundError:
        return "of unknown version"
