"""How long the passive check takes on eight simulated GPUs, and the share of each observer: `python tests/benchmarks/passive_check.py`.

What is timed is the very program that Ansible sends to a node, from the start of Python to its end; beside it a bare start of the same
Python, so that machines can be compared. Needs nvidia-nvml-dev, make and gcc, since the GPUs are a double of NVML.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "tests")]

from unit.module_utils.simulated_node import SimulatedNode  # noqa: E402 - after the path

SHARES = """
import json, sys, tempfile, time
from pathlib import Path
from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Deadline
from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.judge.checks import judge
from ansible_collections.gpu.fleet.plugins.module_utils.observe import device_nodes, driver, host, kernel_log, node, nvml, pci
from unit.module_utils.healthy_node import TABLES

def bindings():
    import pynvml
    return pynvml

root, shares = Path(sys.argv[1]), {}
def timed(name, work):
    start = time.perf_counter()
    result = work()
    shares[name] = time.perf_counter() - start
    return result

timed("host", lambda: host.observe(root))
timed("kernel module", lambda: driver.observe(root))
timed("PCI bus", lambda: pci.observe(root))
timed("kernel log", lambda: kernel_log.observe(Deadline(10), root))
timed("device nodes", lambda: device_nodes.observe(root))
timed("NVML (in a child, beside the others)", lambda: nvml.Observer(bindings, Deadline(10)).result())
seen = node.observe(bindings, Deadline(10), None, root)
timed("judging", lambda: judge(seen, Expectation(), TABLES, active=False))
print(json.dumps(shares))
"""


def sent_program(folder: Path, python: str) -> Path:
    """Have Ansible build the program that it sends to a node, and keep it."""
    (folder / "ansible.cfg").write_text(f"[defaults]\ncollections_path={ROOT / '.collections'}\nkeep_remote_files=true\n")
    command = [sys.executable, "-m", "ansible", "adhoc", "localhost", "-i", "localhost,", "-c", "local", "-m", "gpu.fleet.gpu_readiness"]
    command += ["-a", f"history={folder / 'history.json'}"]
    command += [
        "-e",
        f"ansible_python_interpreter={python}",
        "-e",
        f"ansible_remote_tmp={folder / 'remote'}",
        "-e",
        "ansible_pipelining=false",
    ]
    subprocess.run(command, env={**os.environ, "ANSIBLE_CONFIG": str(folder / "ansible.cfg")}, check=True, capture_output=True)
    return next((folder / "remote").glob("*/AnsiballZ_gpu_readiness.py"))


@dataclass(frozen=True)
class Run:
    """What one run of a program took: seconds by the clock and of the processors, and memory, its children's included."""

    wall: float
    cpu: float
    peak_mib: float


def timed(command: Sequence[str], environment: dict[str, str], times: int) -> list[Run]:
    """Run a command again and again."""
    runs = []
    for _ in range(times):
        start = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} ended with exit status {process.returncode}")
        runs.append(Run(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024))
    return runs


def median(runs: Sequence[Run], what: str) -> float:
    """Take the middle of one figure."""
    return float(statistics.median(getattr(run, what) for run in runs))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Time the passive check on eight simulated GPUs.")
    parser.add_argument("--times", type=int, default=15, help="how often (default 15)")
    parser.add_argument("--python", default=sys.executable, help="the node's Python (default this one)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        node = SimulatedNode.build(folder / "node")
        environment = node.environment("")
        program = sent_program(folder, options.python)
        bare = timed([options.python, "-c", "pass"], environment, options.times)
        check = timed([options.python, str(program)], environment, options.times)
        output = subprocess.run([sys.executable, "-c", SHARES, str(node.root)], env=environment, check=True, capture_output=True, text=True)
    shares = json.loads(output.stdout)
    start, whole = median(bare, "wall"), median(check, "wall")
    lines = [
        f"passive check, 8 GPUs (simulated), median of {options.times}: {whole:.3f} s, fastest {min(run.wall for run in check):.3f} s",
        f"  of the processors: {median(check, 'cpu'):.3f} s; peak memory: {median(check, 'peak_mib'):.0f} MiB",
        f"a bare start of the same Python: {start:.3f} s; the check is {whole / start:.1f} times that",
        "what each part takes, in milliseconds:",
        *(f"  {share * 1000:7.1f}  {what}" for what, share in sorted(shares.items(), key=lambda item: -item[1])),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
