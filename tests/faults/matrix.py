"""Reads the matrix: a line per case, with what it must find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("matrix.txt")
EVERY = "*"

_COLUMNS = 5
_AFTER = "=>"
_SECONDS, _SECONDS_TO_HANG = 20.0, 6.0  # for the check to end within

Expected = tuple[str, str, str, str, bool]  # check, number of the GPU or `node` or `link`, status, action, kills_job


@dataclass(frozen=True)
class Case:
    """One row. `findings` are those that are neither pass nor skip; the subject `*` is every GPU."""

    line: int
    profile: str
    before: tuple[str, ...] | None  # what was planted when the node was last checked; None where it never was
    faults: tuple[str, ...]
    inventory: dict[str, Any]
    findings: frozenset[Expected]
    verdict: str

    @property
    def what(self) -> str:
        """Say what is planted where."""
        before = f"{'; '.join(self.before)} {_AFTER} " if self.before is not None else ""
        inventory = f" ({self.inventory})" if self.inventory else ""
        return f"{self.profile}: {before}{'; '.join(self.faults) or 'healthy'}{inventory}"

    @property
    def name(self) -> str:
        """Name the case for pytest."""
        return f"line {self.line}: {self.what}"

    @property
    def seconds(self) -> float:
        """How long the check may take."""
        return _SECONDS_TO_HANG if any("hang." in fault for fault in self.faults) else _SECONDS

    def expected(self, gpus: int) -> frozenset[Expected]:
        """List the findings, on a node with so many GPUs."""
        return frozenset(
            (check, each, status, action, kills)
            for check, whom, status, action, kills in self.findings
            for each in ([str(index) for index in range(gpus)] if whom == EVERY else [whom])
        )


def cases(text: str) -> Iterator[Case]:
    """Read the rows."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            try:
                yield _case(number, line)
            except ValueError as error:
                raise ValueError(f"{FILE.name}:{number}: {error}") from None


def seen(finding: dict[str, Any]) -> Expected:
    """Write a finding as the matrix does."""
    subject = finding["subject"]
    whom = str(subject.get("index", subject["id"])) if subject["kind"] == "gpu" else subject["kind"]
    return finding["check"], whom, finding["status"], finding["action"], finding["kills_job"]


def _case(number: int, line: str) -> Case:
    cells = [cell.strip() for cell in line.split("|")]
    if len(cells) != _COLUMNS:
        raise ValueError(f"found {len(cells)} columns, expected {_COLUMNS}")
    profile, faults, inventory, findings, verdict = cells
    before, is_second, after = faults.partition(_AFTER)
    return Case(
        line=number,
        profile=profile,
        before=_list(before, ";") if is_second else None,
        faults=_list(after if is_second else before, ";"),
        inventory=yaml.safe_load(f"{{{inventory}}}"),
        findings=frozenset(each for finding in _list(findings, ",") for each in _findings(finding)),
        verdict=verdict,
    )


def _list(text: str, separator: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(separator) if part.strip())


def _findings(text: str) -> Iterator[Expected]:
    """Read `check subject status action`, and `!` if it kills a job; the subject `0-3` stands for four GPUs."""
    words = text.split()
    kills = words[-1] == "!"
    if len(words) != 4 + kills:
        raise ValueError(f"found {text!r}, expected: check subject status action, and ! if it kills a job")
    check, subject, status, action = words[:4]
    first, _, last = subject.partition("-")
    for each in range(int(first), int(last) + 1) if last else [subject]:
        yield check, str(each), status, action, kills
