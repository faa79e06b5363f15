"""Filters of the role bundle; thin faces of module_utils/bundle/fit.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.bundle.fit import problems, settings
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.manifest import Manifest


def _manifest(given: Mapping[str, Any]) -> Manifest:
    return Manifest.parse(json.dumps(given).encode())


def bundle_problems(given: Mapping[str, Any], system: str, wanted: Mapping[str, Any]) -> list[str]:
    """Say what the bundle lacks for a node."""
    return problems(_manifest(given), system, {name: str(value) for name, value in wanted.items()})


def bundle_settings(given: Mapping[str, Any], system: str, root: str, image_path: str, fingerprint: str) -> dict[str, Any]:
    """Return the roles' variables that let a node use the bundle."""
    return settings(_manifest(given), system, root, image_path, fingerprint)


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name the filters."""
        return {"bundle_problems": bundle_problems, "bundle_settings": bundle_settings}
