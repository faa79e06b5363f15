"""Reads expected_packages.txt, whose head says what it means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

GROUPS = ("first", "same", "own", "headers", "modules", "kernel")
_TEXT = (Path(__file__).parent / "expected_packages.txt").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Line:
    """Names of one group, and what has to be so for them."""

    needs: frozenset[str]
    group: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """What some systems have from one source, for some branches, for one topic: the driver, or a kind of fabric."""

    systems: frozenset[str]
    source: str
    branches: frozenset[str]
    topic: str
    lines: tuple[Line, ...]
    settings: Mapping[str, str]  # hold, held, from


def _blocks() -> Iterator[Block]:
    for text in re.split(r"^== ", _TEXT, flags=re.MULTILINE)[1:]:
        head, *body = re.sub(r"^##.*", "", text, flags=re.MULTILINE).splitlines()
        systems, source, branches, topic = (cell.strip() for cell in head.split("|"))
        lines, settings = [], {}
        for words in filter(None, (line.split() for line in body)):
            if words[0] in {"hold", "held", "from"}:
                settings[words[0]] = " ".join(words[1:])
            else:
                at = next(number for number, word in enumerate(words) if word in GROUPS)
                lines.append(Line(frozenset(words[:at]), words[at], tuple(words[at + 1 :])))
        yield Block(frozenset(systems.split()), source, frozenset(branches.split()), topic, tuple(lines), settings)


BLOCKS = tuple(_blocks())
