"""The table of systems in the README of role nvidia_driver, made from the role's data and from what Molecule's scenarios have shown.

``PYTHONPATH=.collections python tests/contracts/system_table.py`` rewrites the table; test_system_table.py holds the README to it.
What no run has shown is "by table only".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.gpu.fleet.plugins.module_utils.driver.rule import ARCHITECTURES
from ansible_collections.gpu.fleet.plugins.module_utils.driver.system import WITHOUT_PACKAGES, PackageSource, System

ROOT = Path(__file__).parents[2]
ROLE = "nvidia_driver"
TABLE = re.compile(r"<!-- systems -->.*?<!-- /systems -->", re.DOTALL)
UNSHOWN = "by table only"


@dataclass(frozen=True)
class Shown:
    """What one scenario has shown of a role on a system."""

    role: str
    system: str
    source: str
    architecture: str
    what: str
    scenario: str


def shown() -> list[Shown]:
    """Read what the scenarios wrote."""
    return [
        Shown(**entry, scenario=path.stem)
        for path in sorted((ROOT / "tests" / "shown").glob("*.yml"))
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))
    ]


def systems() -> Iterator[System]:
    """Read the role's data of each system."""
    folder = ROOT / "roles" / ROLE / "vars"
    for path in sorted(folder.glob("*-*.yml"), key=lambda path: (path.stem.split("-")[0], int(path.stem.split("-")[1]))):
        distribution = _read(folder / f"{path.stem.split('-')[0]}.yml")
        yield System.parse(path.stem, {"sources": distribution["__nvidia_driver_sources"], **_read(path)["__nvidia_driver_release"]})


def table(records: list[Shown]) -> str:
    """Return the Markdown table, between its markers."""
    rows = [
        "| system | source | from branch | kernel module | held by | architecture | shown by |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for system in systems():
        for name, source in system.sources.items():
            for architecture in ARCHITECTURES:
                cells = [
                    system.name.replace("-", " "),
                    name,
                    str(source.first_branch or "any"),
                    _module(source),
                    _holds(source),
                    architecture,
                ]
                rows.append(f"| {' | '.join([*cells, _shown(records, system.name, name, architecture)])} |")
    rows += [f"| all | {name} | any | | nothing | all | {_shown(records, '', name, '')} |" for name in WITHOUT_PACKAGES]
    return "\n".join(["<!-- systems -->", *rows, "<!-- /systems -->"])


def _shown(records: list[Shown], system: str, source: str, architecture: str) -> str:
    """Return the cell: what was shown, by scenario; no system or architecture asks for any."""
    fitting = [
        record
        for record in records
        if (record.role, record.source) == (ROLE, source) and system in {"", record.system} and architecture in {"", record.architecture}
    ]
    scenarios = dict.fromkeys(record.scenario for record in fitting)
    return (
        "; ".join(f"`{name}`: {', '.join(record.what for record in fitting if record.scenario == name)}" for name in scenarios) or UNSHOWN
    )


def _module(source: PackageSource) -> str:
    return (
        "compiled on the node (DKMS)" if any(rule.part == "headers" for rule in source.rules) else "precompiled, signed by the distribution"
    )


def _holds(source: PackageSource) -> str:
    pins = [rule for rule in source.rules if rule.part == "pinning"]
    first = min((rule.first_branch for rule in pins), default=0)
    pinning = [f"a pinning package{f' from {first}' if first else ''}"] if pins else []
    return ", ".join([f"`{source.hold}`", *(["module stream"] if source.streams else []), *pinning])


def _read(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return values


def main() -> None:
    """Rewrite the table."""
    readme = ROOT / "roles" / ROLE / "README.md"
    before, after = TABLE.split(readme.read_text(encoding="utf-8"), maxsplit=1)
    readme.write_text(before + table(shown()) + after, encoding="utf-8")


if __name__ == "__main__":
    main()
