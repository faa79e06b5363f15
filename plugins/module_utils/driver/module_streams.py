"""dnf's module streams: of the packages of one name only those of the enabled stream are seen."""

from __future__ import annotations

import re
from configparser import ConfigParser
from configparser import Error as ConfigError
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.driver.local import read
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal


def enabled(root: Path, module: str) -> str:
    """Return the enabled stream as MODULE:STREAM, or nothing."""
    state = ConfigParser(interpolation=None, strict=False)
    try:
        state.read_string(read(root / "etc/dnf/modules.d" / f"{module}.module"))
    except ConfigError:
        state.clear()
    on = state.get(module, "state", fallback="") == "enabled"
    return f"{module}:{state.get(module, 'stream', fallback='')}" if on else ""


def parse_streams(text: str, module: str) -> list[str]:
    """Read `dnf module list`: the streams of one module."""
    return sorted({match[1] for match in re.finditer(rf"^{re.escape(module)} +(\S+)", text, re.MULTILINE)})


def refuse_unknown(wanted: str, streams: list[str]) -> None:
    """Refuse a stream, MODULE:STREAM, that there is not."""
    module, _, stream = wanted.partition(":")
    if stream not in streams:
        raise Refusal(
            f"{f'the streams {chr(32).join(streams)}' if streams else 'no stream'} of module {module} in the node's package sources",
            f"stream {stream}",
            "set nvidia_driver_version to a branch that has one, or nvidia_driver_repository_url to a mirror with the modules' metadata",
        )
