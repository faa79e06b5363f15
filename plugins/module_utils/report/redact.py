"""Takes secrets out of text that came from nodes and from failed tasks before anything stores or shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

HIDDEN: Final = "[hidden]"

_NAME: Final = r"[\w.-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key|credentials?|authorization)"
_SUSPECT: Final = re.compile(r"passw|passphrase|secret|token|key|credential|authorization|bearer|://", re.IGNORECASE)
_RULES: Final = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), HIDDEN),
    (re.compile(r"(://)[^/\s@]+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"\b(bearer|basic)\s+[\w+/=.~-]{8,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(rf"""({_NAME}["']?\s*(?:=|:)\s*)("[^"]*"|'[^']*'|[^\s,;&"']+)""", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(rf"(--{_NAME}\s+)[^\s,;]+", re.IGNORECASE), rf"\1{HIDDEN}"),
)
_SECRET_KEY: Final = re.compile(rf"{_NAME}$", re.IGNORECASE)


def text(line: str) -> str:
    """Return a text without passwords, tokens, keys and the credentials in addresses."""
    if _SUSPECT.search(line):
        for pattern, replacement in _RULES:
            line = pattern.sub(replacement, line)
    return line


def data(tree: Any) -> Any:
    """Return JSON data with every text in it redacted, and every text under a key that names a secret hidden."""
    if isinstance(tree, str):
        return text(tree)
    if isinstance(tree, Mapping):
        return {
            str(key): HIDDEN if isinstance(below, str) and below and _SECRET_KEY.match(str(key)) else data(below) for key, below in tree.items()
        }
    if isinstance(tree, list | tuple):
        return [data(item) for item in tree]
    return tree
