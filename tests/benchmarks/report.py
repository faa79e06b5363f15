"""How long the report of a fleet takes and how big it is: `python tests/benchmarks/report.py [nodes ...]`.

The fleet is generated: eight GPUs a node, some with faults. With --keep DIRECTORY the reports stay there to be looked at.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / ".collections"))

from ansible_collections.gpu.fleet.plugins.module_utils.report import publish, table
from ansible_collections.gpu.fleet.plugins.module_utils.report.collect import Heard, node
from ansible_collections.gpu.fleet.plugins.module_utils.report.fleet import About, assemble
from ansible_collections.gpu.fleet.plugins.module_utils.report.gate import judge

NOW = datetime(2026, 11, 23, 4, 10, tzinfo=timezone.utc)
# check, unit, middle, spread, key of the gate, gate, source
QUANTITIES = [
    ("matmul_bf16", "TFLOP/s", 712.0, 9.0, "minimum", 635.0, "80 % of 794 measured on H100 80GB HBM3 (ml-engineering, torch 2.7.0+cu126)"),
    ("memory_bandwidth", "GB/s", 3010.0, 25.0, "minimum", 2680.0, "80 % of 3,350 peak, datasheet"),
    ("copy_host_to_device", "GB/s", 54.2, 0.4, "minimum", 44.0, "70 % of PCIe 5.0 x16"),
    ("temperature", "°C", 38.0, 4.0, "maximum", 83.0, "slowdown threshold of the GPU less 4"),
    ("allreduce_busbw", "GB/s", 462.0, 6.0, "minimum", 440.0, "OCI gate: 8 GPUs, oci-hpc"),
]
DISCRETE = [
    "gpu_count",
    "gpu_model",
    "driver_version",
    "ecc",
    "row_remapping",
    "nvlink",
    "pcie_link",
    "clocks_event_reasons",
    "xid",
    "persistence",
]


def subject(index: int) -> dict[str, object]:
    """Return GPU number `index`."""
    return {"kind": "gpu", "id": f"00000000:{(index + 1) * 16 + 11:02x}:00.0", "index": index}


def readiness(dice: random.Random, *, faults: bool) -> dict[str, object]:
    """Return what the readiness module returns on one node."""
    findings: list[dict[str, object]] = [
        {
            "check": check,
            "subject": {"kind": "node", "id": ""},
            "status": "pass",
            "observed": {"gpu_count": 8, "gpu_model": "NVIDIA H100 80GB HBM3", "driver_version": "535.261.03"}.get(check, "good on 8 GPUs"),
            "expected": {"gpu_count": 8, "gpu_model": "NVIDIA H100 80GB HBM3", "driver_version": "535.261.03"}.get(check),
            "source": "inventory",
            "action": "none",
            "kills_job": False,
            "message": f"{check} is as expected",
        }
        for check in DISCRETE
    ]
    slow = dice.randrange(8) if faults and dice.random() < 0.4 else -1
    for check, unit, middle, spread, key, gate, source in QUANTITIES:
        for index in range(1 if check == "allreduce_busbw" else 8):
            value = round(dice.gauss(middle, spread), 1)
            if index == slow and check in ("matmul_bf16", "temperature"):
                value = 602.5 if check == "matmul_bf16" else 86.0
            good = value >= gate if key == "minimum" else value <= gate
            findings.append(
                {
                    "check": check,
                    "subject": {"kind": "node", "id": ""} if check == "allreduce_busbw" else subject(index),
                    "status": "pass" if good else "fail",
                    "observed": {"value": value, "unit": unit},
                    "expected": {key: gate, "unit": unit},
                    "source": source,
                    "action": "none" if good else "investigate",
                    "kills_job": False,
                    "message": f"found {value} {unit}, gate {gate}"
                    + ("" if good else ": look at temperature, power cap and neighbours first"),
                }
            )
    if faults and slow < 0:
        if dice.random() < 0.5:
            findings[0] = findings[0] | {
                "status": "fail",
                "observed": 7,
                "kills_job": True,
                "action": "reboot",
                "message": "found 7 GPUs, expected 8: look for the missing one with lspci, then read the kernel log for XID 79",
            }
        else:
            findings[4] = findings[4] | {
                "subject": subject(dice.randrange(8)),
                "status": "error",
                "observed": None,
                "action": "investigate",
                "message": "row remapping could not be read (NVML: Unknown Error), expected 0 pending: run nvidia-smi -q -d ROW_REMAPPER",
            }
    wrong = [finding for finding in findings if finding["status"] != "pass"]
    verdict = "ready"
    if wrong:
        verdict = "not_ready" if wrong[0]["kills_job"] else "unknown" if wrong[0]["status"] == "error" else "degraded"
    gpus = [
        {"index": index, "name": {"value": "NVIDIA H100 80GB HBM3"}, "pci_bus_id": {"value": subject(index)["id"]}}
        | {f"reading_{number}": {"value": dice.randrange(100)} for number in range(25)}
        | {"nvlinks": {"value": {str(link): True for link in range(18)}}}
        for index in range(7 if findings[0]["observed"] == 7 else 8)
    ]
    observation = {"schema": 1, "nvml": {"driver_version": {"value": "535.261.03"}, "gpus": {"value": gpus}}}
    return {"verdict": verdict, "findings": findings, "observation": observation, "duration_s": 0.4}


def heard(dice: random.Random, share: float) -> Heard:
    """Return what a run hears of one node; `share` of the nodes have something wrong."""
    throw = dice.random()
    if throw < share * 0.1:
        return Heard(unreachable="ssh: connect to host 10.1.2.3 port 22: No route to host")
    if throw < share * 0.15:
        step = {
            "role": "nvidia_driver",
            "task": "install | Install the driver",
            "message": "found no version 535.999 in the repository, expected it: choose another",
        }
        return Heard(failed=step)
    return Heard(readiness=readiness(dice, faults=throw < share))


def main() -> None:
    """Generate, write, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nodes", nargs="*", type=int, default=[2, 100, 10_000])
    parser.add_argument("--faults", type=float, help="share of nodes with something wrong; default 0.02, and at least one node")
    parser.add_argument("--keep", type=Path, help="where the reports stay")
    options = parser.parse_args()
    print(f"{'nodes':>8} {'collect s':>10} {'write s':>8} {'table s':>8} {'html MB':>8} {'json MB':>8} {'junit MB':>9} {'peak MB':>8}")
    for amount in options.nodes:
        with tempfile.TemporaryDirectory() as scratch:
            directory = options.keep / str(amount) if options.keep else Path(scratch)
            dice = random.Random(amount)
            share = max(0.02, 1 / amount) if options.faults is None else options.faults
            said = {f"gpu-{number:0{len(str(amount))}d}": heard(dice, share) for number in range(1, amount + 1)}
            start = time.process_time()
            nodes = [node(name, what, NOW.isoformat()) for name, what in said.items()]
            fleet = assemble(
                About(
                    "Simulated fleet",
                    "Simulated GPUs: generated figures, nothing was measured.",
                    NOW,
                    "controller-1, gpu.fleet 0.1.0, ansible-core 2.19",
                ),
                nodes,
                {found.name: judge(found, ["ready"]) for found in nodes},
            )
            collected = time.process_time()
            publish.publish(fleet, directory)
            written = time.process_time()
            list(table.table(fleet, width=120, rows=40))
            done = time.process_time()
            sizes = [(directory / name).stat().st_size / 1e6 for name in ("report.html", "report.json", "report.xml")]
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
            print(
                f"{amount:8,} {collected - start:10.2f} {written - collected:8.2f} {done - written:8.2f} "
                f"{sizes[0]:8.2f} {sizes[1]:8.2f} {sizes[2]:9.2f} {peak:8.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
