"""What dnf says that it would do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# A row may go over several lines where a name is long. Its last two words are a size.
_ROW = re.compile(r"^ (\S+)\s+(\w+)\s+((?:\d+:)?\S+-\S+)\s+(\S+)\s+[\d.]+(?: [kMG]| {2}|$)", re.MULTILINE)
_REPLACED = re.compile(r"^ +replacing +(\S+)\.\w+ \S+", re.MULTILINE)
_SECTIONS = re.compile(r"^(\S[^\n]*):\n((?: [^\n]*\n)+)", re.MULTILINE)
_KERNELS = re.compile(r"kernel(-\w+)?-core|kernel-core")


@dataclass(frozen=True)
class Step:
    """One package of a transaction."""

    action: str  # Installing, Installing dependencies, Upgrading, Downgrading, Removing...
    name: str
    version: str = ""  # "EPOCH:VERSION-RELEASE.ARCHITECTURE"
    repository: str = ""

    @property
    def removes(self) -> bool:
        """Whether the package goes."""
        return self.action.startswith("Removing")

    def __str__(self) -> str:
        """Say it in a line."""
        return f"{self.action}: {self.name} {self.version}".rstrip()


def parse_transaction(text: str) -> list[Step]:
    """Read the table that dnf prints before it asks whether to go on."""
    steps = []
    for section in _SECTIONS.finditer(text):
        for row in _ROW.finditer(section[2]):
            version = row[3] if ":" in row[3] else f"0:{row[3]}"
            steps.append(Step(section[1], row[1], f"{version}.{row[2]}", row[4]))
        steps += [Step("Removing replaced", row[1]) for row in _REPLACED.finditer(section[2])]
    return steps


def kernels(steps: Iterable[Step]) -> list[str]:
    """Return the kernels that come with it, as `uname -r` will have them."""
    return [step.version.partition(":")[2] for step in steps if _KERNELS.fullmatch(step.name) and not step.removes]
