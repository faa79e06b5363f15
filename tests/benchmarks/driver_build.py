"""CPU seconds that the driver with its kernel module costs on N nodes, compiled everywhere against compiled once.

It makes the nodes of molecule/driver, installs the driver on the two with Debian 12, and reads what their control groups say of each.
With --also everywhere it does the same with DKMS on each node; without, a node that compiles for itself is taken to cost what the one
costs that compiles for all. CPU seconds depend little on how busy the machine is.

Run it as:  .venv/bin/python tests/benchmarks/driver_build.py [--also everywhere]
"""

from __future__ import annotations

import argparse
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
NODES = ("driver-01", "driver-02")
NAME = os.environ.get("SANDBOX_NAME", "benchmark-driver")
SANDBOX = {"SANDBOX_NAME": NAME, "SANDBOX_PREFIX": os.environ.get("SANDBOX_PREFIX", "172.30.80")}
USAGE = "cat /sys/fs/cgroup/cpuacct/cpuacct.usage 2>/dev/null || awk '/^usage_usec/ {print $2 * 1000}' /sys/fs/cgroup/cpu.stat"


def build_image() -> None:
    """Have what the nodes are made of."""
    command = [str(ROOT / "tests/sandbox/images/node.sh"), str(ROOT / ".cache/sandbox"), str(ROOT / ".venv/bin/python"), "bookworm"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def play(name: str, *arguments: str) -> None:
    """Run a playbook of the scenario."""
    environment = {**os.environ, **SANDBOX, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}"}
    inventories = ("-i", "inventories/sandbox", "-i", "molecule/driver/inventory/hosts.yml")
    command = ["ansible-playbook", f"molecule/driver/{name}.yml", *inventories, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"found that {' '.join(command)} failed, expected it to work: {done.stdout[-3000:]}{done.stderr[-1000:]}")


def cpu_seconds(node: str) -> float:
    """Return what a node has used since it was started."""
    command = ["docker", "exec", f"{NAME}-{node}", "sh", "-c", USAGE]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 1e9


def measure(build: str) -> dict[str, float]:
    """Install on fresh nodes, and return the CPU seconds of each."""
    play("prepare")
    try:
        before = {node: cpu_seconds(node) for node in NODES}
        play("converge", "--limit", ",".join(NODES), "-e", f"nvidia_driver_build={build}")
        return {node: cpu_seconds(node) - before[node] for node in NODES}
    finally:
        play("cleanup")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--also", choices=["everywhere"], help="really compile on each node, too")
    options = parser.parse_args()
    build_image()
    first, second = measure("once").values()
    print(f"once:       {first:6.0f} CPU s on the node that compiles, {second:6.0f} on one that installs what came of it")
    alone = first
    if options.also:
        each = measure("everywhere").values()
        alone = sum(each) / len(each)
        print(f"everywhere: {alone:6.0f} CPU s on each node")
    for nodes in (2, 8, 100):
        everywhere, once = nodes * alone, first + (nodes - 1) * second
        print(f"{nodes:4} nodes: {everywhere:8.0f} CPU s everywhere, {once:8.0f} once, {everywhere / once:.1f} times less")


if __name__ == "__main__":
    main()
