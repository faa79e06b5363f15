"""How long one more workspace takes, its image present: from the command to a JupyterLab that answers, and whose share that is.

Run it after ``make demo``:  .venv/bin/python tests/benchmarks/second_workspace.py [--times 3]
Each time it makes a workspace without GPUs on gpu-01 and removes it with its data. The container's share is from the start of its unit to
the line with which Jupyter says that it serves, by the node's journal; the rest is Ansible's. Seconds are wall-clock of this machine;
compare them within one run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path
from statistics import median

from tally import Tally

ROOT = Path(__file__).parents[2]
NAME = "benchmark"
NODE = f"{os.environ.get('SANDBOX_NAME', 'sandbox')}-gpu-01"


def on_node(*command: str) -> str:
    """Return what a command on the node prints."""
    return subprocess.run(["docker", "exec", NODE, *command], capture_output=True, text=True, check=True).stdout


def container_seconds() -> float:
    """Return the seconds from the latest start of the workspace's unit until it served."""
    unit = f"jupyter-workspace-{NAME}.service"
    started = served = 0.0
    for line in on_node("journalctl", "--unit", unit, "--output", "short-unix", "--no-pager").splitlines():
        if f"Starting {unit}" in line:
            started = float(line.split()[0])
        elif "is running at" in line:
            served = float(line.split()[0])
    return served - started


def workspace(tally: Tally, **said: str) -> None:
    """Run playbooks/workspace.yml."""
    status = tally.run(ROOT, "playbooks/workspace.yml", "inventories/sandbox", node="gpu-01", name=NAME, **said)
    if status != "successful":
        raise SystemExit(f"found that playbooks/workspace.yml ended {status}, expected a sandbox after `make demo`. Next: run it by hand")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()

    totals, containers = [], []
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{place}/key"], check=True)
        for _ in range(options.times):
            tally = Tally()
            try:
                workspace(tally, user=NAME, gpus="none", keys=f"{place}/key.pub")
                totals.append(tally.total)
                containers.append(container_seconds())
            finally:
                workspace(Tally(), state="absent")
                on_node("rm", "-rf", f"/srv/workspaces/{NAME}")
    total, container = median(totals), median(containers)
    print(f"from command to JupyterLab, median of {options.times}: {total:.1f} s ({', '.join(f'{each:.1f}' for each in totals)})")
    print(f"  the container {container:.1f} s ({container / total:.0%}), Ansible {total - container:.1f} s ({1 - container / total:.0%})")
    print("\nthe last run:")
    tally.print_seconds()


if __name__ == "__main__":
    main()
