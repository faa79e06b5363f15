"""YAML as Go's encoder writes it: an indentation of four, sequences indented below their key."""

from __future__ import annotations

import json
import re
from typing import Any

INDENT = 4
# What a reader would not take for a string.
AMBIGUOUS = re.compile(
    r"[-+]?([0-9][0-9_]*|0x[0-9a-f_]+|0o[0-7_]+|(\.[0-9]+|[0-9]+(\.[0-9]*)?)(e[-+]?[0-9]+)?)|true|false|yes|no|on|off|null|~|y|n",
    re.IGNORECASE,
)
PLAIN = re.compile(r"[A-Za-z0-9/._-](?:[^\s:#]|:(?=\S)|(?<=\S)#|\s(?=[^\s#]))*")


def dump(value: Any) -> str:
    return "---\n" + "".join(f"{line}\n" for line in _lines(value, 0))


def _lines(value: Any, column: int) -> list[str]:
    """The lines of a mapping or sequence that starts at a column."""
    lines = []
    if isinstance(value, dict):
        for key, item in value.items():
            lines += _entry(f"{' ' * column}{_scalar(key)}:", item, column)
    else:
        for item in value:
            block = _lines(item, column + 2) if isinstance(item, (dict, list)) and item else [_scalar(item)]
            lines += [f"{' ' * column}- {block[0].lstrip()}", *block[1:]]
    return lines


def _entry(key: str, item: Any, column: int) -> list[str]:
    if isinstance(item, (dict, list)) and item:
        return [key, *_lines(item, (column // INDENT + 1) * INDENT)]
    return [f"{key} {_scalar(item)}"]


def _scalar(value: Any) -> str:
    if isinstance(value, str) and PLAIN.fullmatch(value) and not AMBIGUOUS.fullmatch(value):
        return value
    return json.dumps(value)
