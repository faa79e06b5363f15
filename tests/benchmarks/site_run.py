"""How long a playbook takes on the running sandbox, and where the time goes: by role and by task; and how many tasks each node costs.

Run it after ``make demo``:  .venv/bin/python tests/benchmarks/site_run.py [--playbook playbooks/readiness.yml] [--set level=standard]
Seconds are wall-clock of this machine; compare them within one run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tally import Tally


def main() -> int:
    """Run the playbook once and print the tally."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inventory", default="inventories/sandbox")
    parser.add_argument("--playbook", default="site.yml")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a variable of the playbook")
    arguments = parser.parse_args()

    tally = Tally()
    variables = dict(each.split("=", 1) for each in arguments.set)
    status = tally.run(Path(__file__).parents[2], arguments.playbook, arguments.inventory, **variables)
    print(f"{arguments.playbook}: {status}, {tally.total:.1f} s")
    tally.print_seconds()
    tally.print_tasks()
    return 0 if status == "successful" else 1


if __name__ == "__main__":
    raise SystemExit(main())
