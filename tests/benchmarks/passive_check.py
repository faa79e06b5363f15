"""What the passive check costs a node with eight simulated GPUs: `python tests/benchmarks/passive_check.py [--python /usr/bin/python3]`.

Timed are the very programs that run on a node, from the start of Python to its end: the module as Ansible sends it (and beside it Ansible's
own ping, which is the least that a module can cost), and the node's own command. A bare start of the same Python is taken off, so that
machines can be compared. Memory is that of the process of the tree that has most. Needs nvidia-nvml-dev, make and gcc, since the GPUs are
a double of NVML.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "tests")]

from ansible_collections.gpu.fleet.plugins.module_utils import kit, program  # noqa: E402
from ansible_collections.gpu.fleet.plugins.module_utils.tables import GPU_TABLE, XID_TABLE  # noqa: E402
from unit.module_utils.simulated_node import SimulatedNode  # noqa: E402 - after the path

FILES = ROOT / "roles" / "gpu_readiness" / "files"
SHARES = """
import json, sys, time
from pathlib import Path
from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Deadline
from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.judge.checks import judge
from ansible_collections.gpu.fleet.plugins.module_utils.observe import device_nodes, driver, host, kernel_log, node, nvml, pci, system
from unit.module_utils.healthy_node import TABLES

def bindings():
    import pynvml
    return pynvml

root, shares, seen = Path(sys.argv[1]), {}, {}
def timed(name, work):
    start = time.perf_counter()
    result = work()
    shares[name] = time.perf_counter() - start
    return result

timed("host", lambda: host.observe(root))
timed("kernel module", lambda: driver.observe(root))
timed("PCI bus", lambda: pci.observe(root))
timed("kernel log (the machine's own)", lambda: kernel_log.observe(Deadline(10)))
timed("device nodes", lambda: device_nodes.observe(root))
timed("NVML, all of it (in a child, beside the others)", lambda: nvml.Observer(bindings, Deadline(10)).result())
timed("system, all of it (in a child, beside the others)", lambda: system.Observer(Path("/"), Deadline(10)).result())
for name, reader in system._readers(Path("/"), Deadline(10), seen).items():
    seen[name] = timed("system: " + name, reader)
whole = timed("all observers", lambda: node.observe(bindings, Deadline(10), None, root))
timed("judging", lambda: judge(whole, Expectation(), TABLES, active=False))
print(json.dumps(shares))
"""

# A small process, since a program's peak is never less than that of the process that starts it.
STOPWATCH = """
import os, sys, time
for _ in range(int(sys.argv[1])):
    start = time.perf_counter()
    pid = os.fork()
    if not pid:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        os.execvp(sys.argv[2], sys.argv[2:])
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    print(os.waitstatus_to_exitcode(status), wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
"""


def sent_program(folder: Path, python: str, module: str, *arguments: str) -> Path:
    """Have Ansible build the program that it sends to a node, and keep it."""
    remote = folder / module
    (folder / "ansible.cfg").write_text(f"[defaults]\ncollections_path={ROOT / '.collections'}\nkeep_remote_files=true\n")
    command = [sys.executable, "-m", "ansible", "adhoc", "localhost", "-i", "localhost,", "-c", "local", "-m", module, *arguments]
    for variable in (f"python_interpreter={python}", f"remote_tmp={remote}", "pipelining=false"):
        command += ["-e", f"ansible_{variable}"]
    subprocess.run(command, env={**os.environ, "ANSIBLE_CONFIG": str(folder / "ansible.cfg")}, check=True, capture_output=True)
    return next(remote.glob("*/AnsiballZ_*.py"))


def packed_command(folder: Path, python: str) -> Path:
    """Pack the node's own command, as the role readiness_command does."""
    file = folder / "gpu-fleet-readiness"
    file.write_bytes(program.pack(python, kit.bindings_file(), FILES / GPU_TABLE, FILES / XID_TABLE))
    return file


@dataclass(frozen=True)
class Run:
    """What one run of a program took: seconds by the clock and of the processors (its children's included), and MiB at the peak."""

    wall: float
    cpu: float
    peak_mib: float


def timed(command: Sequence[str], environment: dict[str, str], times: int, ends: Sequence[int] = (0,)) -> list[Run]:
    """Run a command again and again; `ends` are the exit statuses of a run that counts."""
    watch = [sys.executable, "-I", "-S", "-c", STOPWATCH, str(times), *command]
    output = subprocess.run(watch, env=environment, check=True, capture_output=True, text=True).stdout
    statuses, figures = zip(*((int(status), Run(*map(float, rest))) for status, *rest in map(str.split, output.splitlines())))
    if not set(statuses) <= set(ends):
        raise SystemExit(f"{' '.join(command)} ended with exit status {max(statuses)}")
    return list(figures)


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
        output = subprocess.run([sys.executable, "-c", SHARES, str(node.root)], env=environment, check=True, capture_output=True, text=True)
        del environment["PYTHONPATH"]  # a node has nothing of this
        module = sent_program(folder, options.python, "gpu.fleet.gpu_readiness", "-a", f"history={folder / 'history.json'}")
        ping = sent_program(folder, options.python, "ansible.builtin.ping")
        command = [str(packed_command(folder, options.python)), "--check"]
        bare = timed([options.python, "-c", "pass"], environment, options.times)
        faces = {
            "the module": timed([options.python, str(module)], environment, options.times),
            "Ansible's own ping": timed([options.python, str(ping)], environment, options.times),
            "the command": timed([options.python, "-I", *command], environment, options.times, (0, 1, 2)),  # 3 is a check that failed
        }
    shares = json.loads(output.stdout)
    start, start_cpu = median(bare, "wall"), median(bare, "cpu")
    lines = [
        f"passive check, 8 GPUs (simulated), medians of {options.times}, without the {start:.3f} s of a bare start of {options.python}:",
        f"  {'':20} {'s':>7} {'fastest':>8} {'CPU s':>7} {'peak MiB':>9}",
        *(
            f"  {face:20} {median(runs, 'wall') - start:7.3f} {min(run.wall for run in runs) - start:8.3f}"
            f" {median(runs, 'cpu') - start_cpu:7.3f} {median(runs, 'peak_mib'):9.1f}"
            for face, runs in faces.items()
        ),
        "what each part takes once it is imported, in milliseconds:",
        *(f"  {share * 1000:7.1f}  {what}" for what, share in sorted(shares.items(), key=lambda item: -item[1])),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
