"""Every role keeps its contract: specification, defaults and README say the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from contracts.role_tables import ROOT, defaults, options, table

ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())


@pytest.fixture(params=ROLES, ids=lambda path: path.name)
def role(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_every_default_is_specified_and_every_option_has_a_default_or_is_required(role: Path) -> None:
    specified = options(role)
    given = defaults(role)
    assert set(given) <= set(specified)
    assert {name for name, option in specified.items() if not option.get("required")} == set(given)


def test_the_specification_gives_the_same_default(role: Path) -> None:
    specified = options(role)
    for name, value in defaults(role).items():
        if isinstance(value, str) and "{{" in value:
            continue
        assert specified[name].get("default", value) == value, name


def test_public_variables_carry_the_role_name(role: Path) -> None:
    assert all(name.startswith(f"{role.name}_") for name in options(role))


def test_every_option_is_described(role: Path) -> None:
    assert all(option.get("description") and option.get("type") for option in options(role).values())


def test_every_default_is_commented(role: Path) -> None:
    """By a comment above it, or above the group without an empty line that it belongs to."""
    for group in (role / "defaults" / "main.yml").read_text().removeprefix("---\n").split("\n\n"):
        assert group.lstrip().startswith("#"), f"{role.name}/defaults/main.yml: no comment above {group.splitlines()[0]}"


def test_the_readme_holds_the_table_made_from_the_specification(role: Path) -> None:
    assert table(role) in (role / "README.md").read_text(), "run: python tests/contracts/role_tables.py"
