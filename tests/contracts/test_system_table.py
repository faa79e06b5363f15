"""What the README says was shown on which system, a test has shown."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.gpu.fleet.plugins.module_utils.driver.system import WITHOUT_PACKAGES
from contracts.system_table import ROLE, ROOT, UNSHOWN, Shown, shown, systems, table


def test_the_readme_holds_the_table_made_from_what_was_shown() -> None:
    assert table(shown()) in (ROOT / "roles" / ROLE / "README.md").read_text(encoding="utf-8"), (
        "run: PYTHONPATH=.collections python tests/contracts/system_table.py"
    )


def test_each_record_is_of_a_scenario_and_of_a_system_and_source_that_the_role_knows() -> None:
    known = {(system.name, source) for system in systems() for source in (*system.sources, *WITHOUT_PACKAGES)}
    for record in shown():
        assert record.scenario == "vm" or (ROOT / "molecule" / record.scenario / "molecule.yml").exists(), record
        assert (record.system, record.source) in known, record


def test_what_nobody_has_shown_is_by_table_only() -> None:
    record = Shown(ROLE, "Ubuntu-24", "nvidia", "x86_64", "something", "a_scenario")
    (row,) = [line for line in table([record]).splitlines() if "a_scenario" in line]
    assert row.startswith("| Ubuntu 24 | nvidia |")
    assert row.endswith("| x86_64 | `a_scenario`: something |")
    others = [line for line in table([record]).splitlines()[3:-1] if line != row]
    assert len(others) > 10
    assert all(line.endswith(f"| {UNSHOWN} |") for line in others)
    assert "a_scenario" not in table([replace(record, role="another")])
