"""Rows of the matrix through the whole path: the scenario of a real node, the playbook, the module, the report.

The Molecule scenario `faults` runs it on its sandbox: `cd tests && python -m faults.on_nodes`. The rows are of the sandbox's GPUs.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ansible_runner
from faults.matrix import FILE, Case, cases, seen

REPOSITORY = Path(__file__).parents[2]
NODES = ("gpu-01", "gpu-02")
GPUS = 8
TIMEOUT_S = 20  # of the check: a driver that hangs costs half of it
PROFILE = "h100-sxm"
ROWS = (
    "gpu.3.absent = true",
    "gpu.3.lost = true",
    "gpu.2.ecc.volatile.uncorrected.dram = 1",
    "gpu.5.remapped_rows.failure = true",
    "gpu.5.remapped_rows.pending = true",
    "kernel_log = NVRM: Xid (PCI:0000:61:00): 79, GPU has fallen off the bus.",
    "kernel_log = NVRM: Xid (PCI:0000:61:00): 31, pid=4242, name=python, Ch 00000008",
    "gpu.6.nvlink.17.state = down",
    "gpu.6.fabric.state = not_started",
    "gpu.7.pcie.width.current = 4",
    "gpu.0.clocks.event_reasons = hw_thermal",
    "gpu.0.compute_mode = prohibited",
    "gpu.2.fail.nvmlDeviceGetTemperature* = UNKNOWN",
    "=> gpu.2.pcie.replays = 90000",
    "gpu.5.hang.nvmlDeviceGetSerial = true",
)


def main() -> int:
    """Try the rows, two at a time, a node each; print what differs and return how many do."""
    wrong = 0
    chosen = list(choose(list(cases(FILE.read_text(encoding="utf-8")))))
    for start in range(0, len(chosen), len(NODES)):
        rows = dict(zip(NODES, chosen[start : start + len(NODES)]))
        plant({node: case.before or () for node, case in rows.items()}, forget=True)
        if any(case.before is not None for case in rows.values()):
            check()
        plant({node: case.faults for node, case in rows.items()}, forget=False)
        nodes = check()
        for node, case in rows.items():
            complaints = list(differences(case, nodes[node]))
            wrong += bool(complaints)
            outcome = "WRONG" if complaints else "as expected"
            lines = [f"{outcome}: {node}: {case.what}: {nodes[node]['verdict']}", *complaints]
            sys.stdout.write("\n  ".join(lines) + "\n")
            sys.stdout.flush()
    return wrong


def choose(matrix: list[Case]) -> Iterator[Case]:
    """Find the rows in the matrix, the first that plants just that; one that is no longer there is a mistake."""
    for row in ROWS:
        before, is_second, faults = row.rpartition("=>")
        planted = (tuple(before.split()) if is_second else None, (faults.strip(),))
        yield next(case for case in matrix if case.profile == PROFILE and (case.before, case.faults) == planted)


def plant(faults: dict[str, Any], *, forget: bool) -> None:
    """Have the nodes' hardware show faults."""
    run("molecule/shared/plant.yml", {"faults": {node: list(lines) for node, lines in faults.items()}, "forget": forget})


def check() -> dict[str, Any]:
    """Run the check as a person would, and read what the report says of each node."""
    run("playbooks/readiness.yml", {"gpu_readiness_timeout_s": TIMEOUT_S, "fleet_report_gate": False})
    report = json.loads((REPOSITORY / "reports" / "report.json").read_text(encoding="utf-8"))
    return {node["node"]: node for node in report["nodes"]}


def differences(case: Case, node: dict[str, Any]) -> Iterator[str]:
    """Hold a node of the report against a row."""
    if node["verdict"] != case.verdict:
        yield f"found verdict {node['verdict']}, expected {case.verdict}"
    bad = [finding for finding in node["findings"] if finding["status"] not in ("pass", "skip")]
    found = {seen(finding): finding["message"] for finding in bad}
    expected = case.expected(GPUS)
    yield from (f"not expected: {finding}: {message}" for finding, message in found.items() if finding not in expected)
    yield from (f"not found: {finding}" for finding in expected - found.keys())


def run(playbook: str, variables: dict[str, Any]) -> None:
    """Run a playbook on the sandbox's inventory; one that fails ends everything."""
    with tempfile.TemporaryDirectory() as private:
        result = ansible_runner.run(
            private_data_dir=private,
            project_dir=str(REPOSITORY),
            playbook=playbook,
            inventory=str(REPOSITORY / "inventories" / "sandbox"),
            extravars=variables,
            quiet=True,
            envvars={"ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg")},
        )
        if result.status != "successful":
            sys.exit(f"{playbook}: {result.status}\n{result.stdout.read()}")


if __name__ == "__main__":
    raise SystemExit(main())
