"""How long site.yml takes on the running sandbox, and where the time goes: by role and by task; and how many tasks each node costs.

Run it after ``make demo``:  .venv/bin/python tests/benchmarks/site_run.py [--inventory inventories/sandbox] [--playbook site.yml]
Seconds are wall-clock of this machine; compare them within one run. A host-task is one task on one node, run or skipped.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible_runner

ROOT = Path(__file__).parents[2]
ENDS = {"runner_on_ok": "run", "runner_on_skipped": "skipped", "runner_on_failed": "failed", "runner_on_unreachable": "unreachable"}


@dataclass
class Tally:
    """What the events of one run add up to."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    tasks: Counter[tuple[str, str]] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    starts: dict[str, float] = field(default_factory=dict)
    current: tuple[str, float] | None = None

    def handle(self, event: dict[str, Any]) -> bool:
        """Take one event of ansible-runner."""
        data = event.get("event_data", {})
        kind = event["event"]
        if kind in ("playbook_on_task_start", "playbook_on_play_start", "playbook_on_stats"):
            now = time.monotonic()
            if self.current is not None:
                self.seconds[self.current[0]] += now - self.current[1]
            role = (data.get("resolved_role") or data.get("role") or "playbook").rsplit(".", 1)[-1]
            self.current = (f"{role}: {data.get('task', data.get('play', ''))}", now) if kind == "playbook_on_task_start" else None
        elif kind in ENDS:
            self.tasks[data["host"], ENDS[kind]] += 1
            if kind == "runner_on_ok" and data.get("res", {}).get("changed"):
                self.changed[data["host"]] += 1
        return True


def main() -> int:
    """Run the playbook once and print the tally."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inventory", default="inventories/sandbox")
    parser.add_argument("--playbook", default="site.yml")
    arguments = parser.parse_args()

    tally = Tally()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as private:
        run = ansible_runner.run(
            private_data_dir=private,
            project_dir=str(ROOT),
            playbook=arguments.playbook,
            inventory=str((ROOT / arguments.inventory).resolve()),
            event_handler=tally.handle,
            quiet=True,
            envvars={"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        )
    total = time.monotonic() - started

    roles: dict[str, float] = defaultdict(float)
    for name, seconds in tally.seconds.items():
        roles[name.split(":")[0]] += seconds
    print(f"{arguments.playbook}: {run.status}, {total:.1f} s")
    print("\nby role (share of the whole)")
    for role, seconds in sorted(roles.items(), key=lambda item: -item[1]):
        print(f"  {seconds:6.1f} s  {seconds / total:4.0%}  {role}")
    print("\nthe ten slowest tasks")
    for name, seconds in sorted(tally.seconds.items(), key=lambda item: -item[1])[:10]:
        print(f"  {seconds:6.1f} s  {name}")
    print("\nhost-tasks")
    for host in sorted({host for host, _ in tally.tasks}):
        counts = {kind: tally.tasks[host, kind] for kind in ENDS.values() if tally.tasks[host, kind]}
        print(f"  {host}: {sum(counts.values())} ({', '.join(f'{n} {k}' for k, n in counts.items())}), {tally.changed[host]} changed")
    return 0 if run.status == "successful" else 1


if __name__ == "__main__":
    raise SystemExit(main())
