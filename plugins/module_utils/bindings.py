"""NVML's bindings as a node needs them: cut down, on the controller, to what is called.

The whole is one file of some 8000 lines. To compile it takes a node more memory than the rest of the check, and most of it is never called.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_CALLERS = Path(__file__).resolve().parent / "observe"
_WORD = re.compile(r"[A-Za-z_]\w+")


def lean(bindings: Path) -> bytes:
    """Return the part of the bindings that the code which reads NVML may call."""
    callers = "\n".join(file.read_text(encoding="utf-8") for file in sorted(_CALLERS.glob("*.py")))
    return cut(bindings.read_text(encoding="utf-8"), callers).encode()


def cut(source: str, callers: str) -> str:
    """Keep what the callers mention, what that mentions in turn, and the license above it, each line as it is.

    To mention is to have the name anywhere in the text, be it a call, a string or a comment: that keeps too much rather than too little.
    A word such as NVML_ERROR_ mentions every name that begins with it. A statement that is no definition is always kept.
    """
    lines = source.splitlines(keepends=True)
    statements = [(_names(statement), _lines(statement)) for statement in ast.parse(source).body]
    defined: dict[str, list[range]] = {}
    for names, span in statements:
        for name in names:
            defined.setdefault(name, []).append(span)
    kept = set(range(min(span.start for _, span in statements)))
    texts = [callers, *("".join(lines[number] for number in span) for names, span in statements if not names)]
    kept.update(number for names, span in statements if not names for number in span)
    while texts:
        for span in _mentioned(texts.pop(), defined):
            if not kept.issuperset(span):
                kept.update(span)
                texts.append("".join(lines[number] for number in span))
    return "".join(lines[number] for number in sorted(kept))


def _names(statement: ast.stmt) -> list[str]:
    """Return the names that a definition gives; none for any other statement."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return [statement.name]
    if isinstance(statement, ast.Assign) and all(isinstance(target, ast.Name) for target in statement.targets):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)]
    return []


def _lines(statement: ast.stmt) -> range:
    decorators = statement.decorator_list if isinstance(statement, (ast.FunctionDef, ast.ClassDef)) else []
    first = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
    return range(first - 1, statement.end_lineno or first)


def _mentioned(text: str, defined: dict[str, list[range]]) -> Iterator[range]:
    for word in set(_WORD.findall(text)):
        names: Iterable[str] = (name for name in defined if name.startswith(word)) if word.endswith("_") else [word]
        for name in names:
            yield from defined.get(name, [])
