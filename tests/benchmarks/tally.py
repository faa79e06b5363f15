"""What the events of playbook runs add up to: seconds by role and by task, and tasks by node. Driven by ansible-runner."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible_runner

ENDS = {"runner_on_ok": "run", "runner_on_skipped": "skipped", "runner_on_failed": "failed", "runner_on_unreachable": "unreachable"}


@dataclass
class Tally:
    """What the events of one run, or of several, add up to. Seconds are wall-clock."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    tasks: Counter[tuple[str, str]] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    total: float = 0.0
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

    def run(self, project: Path, playbook: str, inventory: str, **variables: Any) -> str:
        """Run a playbook of `project` with the Ansible of its own environment, and take its events. Return ansible-runner's status."""
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as private:
            run = ansible_runner.run(
                private_data_dir=private,
                project_dir=str(project),
                playbook=playbook,
                inventory=str((project / inventory).resolve()),
                extravars=variables,
                event_handler=self.handle,
                quiet=True,
                envvars={"ANSIBLE_CONFIG": str(project / "ansible.cfg"), "PATH": f"{project / '.venv/bin'}:{os.environ['PATH']}"},
            )
        self.total += time.monotonic() - started
        return str(run.status)

    def print_seconds(self) -> None:
        """Print where the time went."""
        roles: dict[str, float] = defaultdict(float)
        for name, seconds in self.seconds.items():
            roles[name.split(":")[0]] += seconds
        print("\nby role (share of the whole)")
        for role, seconds in sorted(roles.items(), key=lambda item: -item[1]):
            print(f"  {seconds:6.1f} s  {seconds / self.total:4.0%}  {role}")
        print("\nthe ten slowest tasks")
        for name, seconds in sorted(self.seconds.items(), key=lambda item: -item[1])[:10]:
            print(f"  {seconds:6.1f} s  {name}")

    def print_tasks(self) -> None:
        """Print how many tasks each node cost: a host-task is one task on one node, run or skipped."""
        print("\nhost-tasks")
        for host in sorted({host for host, _ in self.tasks}):
            counts = {kind: self.tasks[host, kind] for kind in ENDS.values() if self.tasks[host, kind]}
            print(f"  {host}: {sum(counts.values())} ({', '.join(f'{n} {k}' for k, n in counts.items())}), {self.changed[host]} changed")
