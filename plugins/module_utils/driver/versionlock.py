"""The versions that dnf's plug-in versionlock keeps: its list, a line such as nvidia-driver-cuda-3:580.95.05-1.el9.* for each."""

from __future__ import annotations

import re
from configparser import ConfigParser
from configparser import Error as ConfigError
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.driver.local import read

SETTINGS = "etc/dnf/plugins/versionlock.conf"
_USUAL = "/etc/dnf/plugins/versionlock.list"


def entry(name: str, version: str) -> str:
    """Return the line that keeps a package at a version, which is "EPOCH:VERSION-RELEASE.ARCHITECTURE", in the plug-in's own form."""
    return f"{name}-{version.rpartition('.')[0]}.*"


def package_in(line: str) -> tuple[str, str]:
    """Return package and "EPOCH:VERSION-RELEASE" of a line, or nothing where the plug-in did not write it."""
    match = re.fullmatch(r"([^!].*)-((?:\d+:)?[^-:]+-[^-]+)\.\*", line)
    return (match[1], match[2]) if match else ("", "")


def list_path(root: Path) -> Path:
    """Return the file with the list, which the plug-in's settings name."""
    settings = ConfigParser(interpolation=None, strict=False)
    try:
        settings.read_string(read(root / SETTINGS))
    except ConfigError:
        settings.clear()
    return root / settings.get("main", "locklist", fallback=_USUAL).lstrip("/")


def parse_list(text: str) -> list[str]:
    """Read the list, without comments."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
