"""Takes secrets out of text that came from nodes and from failed tasks, before anything stores or shows it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

HIDDEN: Final = "[hidden]"

_NAME: Final = r"[\w.-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key|credentials?|authorization)"
_SUSPECT: Final = re.compile(r"passw|passphrase|secret|token|key|credential|authorization|bearer|basic|://", re.IGNORECASE)
_RULES: Final = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), HIDDEN),
    (re.compile(r"(://)[^/\s@]+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"\b(bearer|basic)\s+[\w+/=.~-]{8,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(rf"""({_NAME}["']?\s*[=:]\s*)(?!\[hidden\])("[^"]*"|'[^']*'|[^\s,;&"']+)""", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(rf"(--{_NAME}\s+)[^\s,;]+", re.IGNORECASE), rf"\1{HIDDEN}"),
)
_HARMLESS: Final = frozenset({int, float, bool, type(None)})  # most of an observation; passed over without a call
_SECRET_NAME: Final = re.compile(rf"{_NAME}$", re.IGNORECASE)


@lru_cache(maxsize=1 << 16)
def text(line: str) -> str:
    """Return a text without passwords, tokens, keys and the credentials in addresses."""
    if _SUSPECT.search(line):
        for pattern, replacement in _RULES:
            line = pattern.sub(replacement, line)
    return line


def data(tree: Any) -> Any:
    """Return JSON data with every text in it redacted, and every text under a name of a secret hidden."""
    if isinstance(tree, str):
        return text(tree)
    if isinstance(tree, dict):
        return {key: below if below.__class__ in _HARMLESS else _under(key, below) for key, below in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [item if item.__class__ in _HARMLESS else data(item) for item in tree]
    return tree


def _under(name: Any, below: Any) -> Any:
    return HIDDEN if isinstance(below, str) and below and _is_secret(name) else data(below)


@lru_cache(maxsize=1 << 12)
def _is_secret(name: Any) -> bool:
    return bool(_SECRET_NAME.match(str(name)))
