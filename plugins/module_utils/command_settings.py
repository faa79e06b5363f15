"""The settings of the node's own command: a file of JSON. A mistake in it is named with the file and the key."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils import history_file
from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation, parse
from ansible_collections.gpu.fleet.plugins.module_utils.readiness import FLAP_WINDOW_S

PATH = "/etc/gpu-fleet/readiness.json"

_TIMEOUT_S = 30.0  # Slurm ends a health check after 60 s


class SettingsError(ValueError):
    """Settings that cannot be meant."""


@dataclass(frozen=True)
class Settings:
    """What the command is told about its node."""

    expectation: Expectation = field(default_factory=Expectation)
    timeout_s: float = _TIMEOUT_S
    history: str = history_file.PATH
    flap_window_s: float = FLAP_WINDOW_S
    prometheus: str = ""


def read(path: Path) -> Settings:
    """Read the file; where the usual one does not exist, nothing particular is expected of the node."""
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        if str(path) == PATH:
            return Settings()
        raise SettingsError(
            f"{path}: there is no such file, expected the settings there: name another with --settings, or leave that out"
        ) from None
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: found no JSON: {error}") from None
    if not isinstance(data, dict):
        raise SettingsError(f"{path}: found {type(data).__name__}, expected an object with the keys {', '.join(_READERS)}")
    values: dict[str, Any] = {}
    for key, value in data.items():
        if key not in _READERS:
            raise SettingsError(f"{path}: {key}: there is no such key; there are {', '.join(_READERS)}")
        try:
            values[key] = _READERS[key](value)
        except ValueError as error:
            raise SettingsError(f"{path}: {key}: {error}") from None
    return Settings(**values)


def _expectation(value: Any) -> Expectation:
    if not isinstance(value, dict):
        raise ValueError(f"found {value!r}, expected an object")  # noqa: TRY004 - every mistake is a ValueError here
    return parse(value)


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise ValueError(f"found {value!r}, expected seconds")
    return float(value)


def _timeout(value: Any) -> float:
    seconds = _seconds(value)
    if not seconds:
        raise ValueError("found 0, expected more than 0 seconds")
    return seconds


def _path(value: Any) -> str:
    if not isinstance(value, str) or (value and not Path(value).is_absolute()):
        raise ValueError(f"found {value!r}, expected a path from the root, or nothing")
    return value


_READERS = {"expectation": _expectation, "timeout_s": _timeout, "history": _path, "flap_window_s": _seconds, "prometheus": _path}
assert set(_READERS) == {one.name for one in fields(Settings)}  # noqa: S101 - each setting has its reader
