"""How long one more workspace takes, its image present: from the command to a JupyterLab that answers, and whose share that is.

Run it after ``make demo``:  .venv/bin/python tests/benchmarks/second_workspace.py [--times 3]
Each time it makes a workspace without GPUs on gpu-01, with the command that a person gives, and removes it with its data. The container's
share is from the start of its unit to the line with which Jupyter says that it serves, by the node's journal; the rest is Ansible's. One
more is made through ansible-runner, which tells the tasks apart. Seconds are wall-clock of this machine; compare them within one run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
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


def workspace(**said: str) -> float:
    """Run playbooks/workspace.yml as a person does, and return its seconds."""
    words = [argument for item in {"node": "gpu-01", "name": NAME, **said}.items() for argument in ("-e", "=".join(item))]
    command = [str(ROOT / ".venv/bin/ansible-playbook"), "playbooks/workspace.yml", "-i", "inventories/sandbox", *words]
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(
            f"{done.stdout[-2000:]}\nfound that playbooks/workspace.yml failed, expected a sandbox after `make demo`. Next: see above"
        )
    return time.monotonic() - started


@contextmanager
def one_more() -> Iterator[dict[str, str]]:
    """Yield what is said of a workspace that is not there, and remove it afterwards."""
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{place}/key"], check=True)
        try:
            yield {"user": NAME, "gpus": "none", "keys": f"{place}/key.pub"}
        finally:
            workspace(state="absent")
            on_node("rm", "-rf", f"/srv/workspaces/{NAME}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()

    totals, containers = [], []
    for _ in range(options.times):
        with one_more() as said:
            totals.append(workspace(**said))
            containers.append(container_seconds())
    total, container = median(totals), median(containers)
    print(f"from command to JupyterLab, median of {options.times}: {total:.1f} s ({', '.join(f'{each:.1f}' for each in totals)})")
    print(f"  the container {container:.1f} s ({container / total:.0%}), Ansible {total - container:.1f} s ({1 - container / total:.0%})")
    tally = Tally()
    with one_more() as said:
        status = tally.run(ROOT, "playbooks/workspace.yml", "inventories/sandbox", node="gpu-01", name=NAME, **said)
    if status != "successful":
        raise SystemExit(f"found that playbooks/workspace.yml ended {status}, expected successful. Next: run it by hand")
    print("\none more, through ansible-runner:")
    tally.print_seconds()


if __name__ == "__main__":
    main()
