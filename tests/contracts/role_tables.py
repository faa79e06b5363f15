"""The table of variables in each role's README, made from its argument specification.

``python tests/contracts/role_tables.py`` rewrites the tables; test_roles.py holds the READMEs to them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
# Ansible's markup in descriptions: V(value), C(code), O(option), and P(collection.name#kind) of a plugin or role.
MARKUP = re.compile(r"\b[VCO]\(([^()]*)\)")
PLUGIN = re.compile(r"\bP\([\w.]*?(\w+)#\w+\)")
TABLE = re.compile(r"<!-- variables -->.*?<!-- /variables -->", re.DOTALL)


def options(role: Path) -> dict[str, Any]:
    """Return the options of all entry points of a role."""
    specification = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())
    found: dict[str, Any] = {}
    for entry_point in specification["argument_specs"].values():
        found.update(entry_point.get("options") or {})
    return found


def defaults(role: Path) -> dict[str, Any]:
    """Return a role's defaults as written, not templated."""
    return yaml.safe_load((role / "defaults" / "main.yml").read_text()) or {}


def table(role: Path) -> str:
    """Return the Markdown table of a role, between its markers."""
    given = defaults(role)
    rows = ["| variable | type | default | meaning |", "| --- | --- | --- | --- |"]
    for name, option in options(role).items():
        kind = f"list of {option['elements']}" if option.get("elements") else option["type"]
        default = "required" if option.get("required") else f"`{_text(given.get(name))}`"
        description = option["description"]
        meaning = " ".join(description if isinstance(description, list) else [description]).replace("\n", " ").replace("|", "\\|")
        meaning = PLUGIN.sub(r"`\1`", MARKUP.sub(r"`\1`", meaning))
        if option.get("choices"):
            meaning += f" One of {', '.join(f'`{choice}`' for choice in option['choices'])}."
        rows.append(f"| `{name}` | {kind} | {default} | {meaning} |")
    return "\n".join(["<!-- variables -->", *rows, "<!-- /variables -->"])


def _text(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000).strip().removesuffix("...").strip()
    return text.replace("|", "\\|")


def main() -> None:
    """Rewrite the table in every role's README."""
    for role in sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir()):
        readme = role / "README.md"
        text = readme.read_text()
        if not TABLE.search(text):
            text = f"{text.rstrip()}\n\n## Variables\n\n<!-- variables --><!-- /variables -->\n"
        before, after = TABLE.split(text, maxsplit=1)
        readme.write_text(before + table(role) + after)


if __name__ == "__main__":
    main()
