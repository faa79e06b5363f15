"""A worker that holds a simulated node: it plants each fault on it, reads it with the real observers, and judges what they read.

One process for the whole matrix, started with the loader pointed at the NVML double, since that is what takes time. It reads a row as a
line of JSON, and answers with one. What the double has no key for (memory, clock, container runtime, network) is a healthy node's.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pynvml
import yaml
from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Deadline
from ansible_collections.gpu.fleet.plugins.module_utils.expectation import check_against, parse
from ansible_collections.gpu.fleet.plugins.module_utils.finding import PASS, SKIP
from ansible_collections.gpu.fleet.plugins.module_utils.judge.checks import judge
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import listed
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation, Snapshot
from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import System
from ansible_collections.gpu.fleet.plugins.module_utils.observe import device_nodes, driver, kernel_log, nvml, pci
from ansible_collections.gpu.fleet.plugins.module_utils.observe.daemons import FABRIC_MANAGER
from ansible_collections.gpu.fleet.plugins.module_utils.plain import from_plain, to_plain
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from ansible_collections.gpu.fleet.plugins.module_utils.snapshot import take
from ansible_collections.gpu.fleet.plugins.module_utils.verdict import verdict
from doubles.hardware import hardware
from unit.module_utils.healthy_node import TABLES, observation
from unit.module_utils.healthy_system import cdi_spec, system

HEALTHY = observation()
AN_HOUR_BEFORE = "2025-12-31T23:00:00Z"  # the healthy node is of midnight
PCI_FILES = ("vendor", "device", "class", "current_link_width", "max_link_width", "current_link_speed", "max_link_speed")


def described(library: Path) -> dict[str, Any]:
    """Let the library say how it understands the scenario; a mistake in one is a mistake of the table."""
    function = ctypes.CDLL(str(library)).gpuFleetDoubleDescribe
    function.argtypes, function.restype = [ctypes.c_char_p, ctypes.c_size_t], ctypes.c_long
    size = function(None, 0)
    if size < 0:
        raise ValueError("the double refuses this scenario; its reason is on standard error")
    buffer = ctypes.create_string_buffer(size + 1)
    function(buffer, size + 1)
    scenario: dict[str, Any] = json.loads(buffer.value)
    return scenario


def shown(scenario: dict[str, Any], version: str) -> dict[str, bytes]:
    """List the kernel's files that go with the scenario, as the simulated hardware of a sandbox node has them."""
    loaded = str(scenario["driver_version"] or version)
    files = {
        f"sys/bus/pci/devices/{address}/{name}": content
        for address, device in hardware.pci_devices(scenario).items()
        for name, content in device.items()
        if name in PCI_FILES
    }
    if scenario["kernel_module"]:
        files |= {f"proc/driver/nvidia/{name}": content for name, content in hardware.proc_files(scenario, loaded).items()}
    files |= {f"dev/{name}": b"" for name in hardware.device_nodes(scenario)}
    messages = [(5, "Linux version (simulated)"), *hardware.kernel_messages(scenario, loaded)]
    files["dev/kmsg"] = hardware.format_log(hardware.kernel_records(messages, [], 10_000_000)).encode()
    return files


def plant(root: Path, files: dict[str, bytes], planted: dict[str, bytes]) -> None:
    """Write what differs from what was `planted` before, and take away what is no more."""
    (root / "sys/bus/pci/devices").mkdir(parents=True, exist_ok=True)
    for name in planted.keys() - files.keys():
        (root / name).unlink()
    for folder in {(root / name).parent for name in planted.keys() - files.keys()}:
        if folder.parent.name == "devices" and not any(folder.iterdir()):
            folder.rmdir()
    for name, content in files.items():
        if planted.get(name) != content:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
    planted.clear()
    planted.update(files)


def around(scenario: dict[str, Any], version: str) -> System:
    """Make the healthy machine that goes with these GPUs: a fabric manager where there are switches, and every GPU for containers."""
    nodes = tuple(f"/dev/{name}" for name in hardware.device_nodes(scenario) if name.removeprefix("nvidia").isdigit())
    healthy = system(cdi=Reading.of((cdi_spec(device_nodes=nodes, driver_versions=(version,)),)))
    if not scenario["switches"]:
        return healthy
    daemons = Reading.of({**healthy.daemons.value, FABRIC_MANAGER: 1200})
    return replace(healthy, daemons=daemons, fabric_manager_version=Reading.of(version))


def read(root: Path, seconds: float) -> Observation:
    """Read the simulated parts of the node; NVML has half of the time, as in a whole check."""
    deadline = Deadline(seconds)
    gpus = nvml.Observer(lambda: pynvml, deadline.at_most(seconds / 2))
    return replace(
        HEALTHY,
        kernel_module=driver.observe(root),
        pci=pci.observe(root),
        kernel_log=kernel_log.observe(deadline, root, journal="/nonexistent/journalctl"),
        nvml=gpus.result(),
        device_nodes=device_nodes.observe(root),
    )


def changed(machine: System, lines: list[str]) -> System:
    """Change what the double has no key for: `system.clock.synchronised = false`; a reading may become `unreadable` or `unsupported`."""
    plain = to_plain(machine)
    for line in lines:
        path, _, text = line.partition("=")
        *places, last = path.strip().split(".")[1:]
        at: Any = plain
        for place in places:
            at = at[int(place) if isinstance(at, list) else place]
            at = at["value"] if isinstance(at, dict) and at.keys() == {"value"} else at
        value, key = yaml.safe_load(text), int(last) if isinstance(at, list) else last
        is_reading = isinstance(at[key], dict) and at[key].keys() <= {"value", "unsupported", "unreadable"}
        state = value if value in ("unreadable", "unsupported") else "value"
        at[key] = {state: value} if is_reading else value
    return from_plain(System, plain)


@dataclass
class Node:
    """The simulated node: the library, its scenario, the folder with the kernel's files, and what has been read of it so far."""

    library: Path
    scenario: Path
    root: Path
    planted: dict[str, bytes] = field(default_factory=dict)
    read: dict[str, tuple[dict[str, Any], Observation]] = field(default_factory=dict)

    def look(self, profile: str, faults: list[str], seconds: float) -> Observation:
        """Plant the faults and read the node; what was read of the same GPUs before is taken again."""
        of_machine = [fault for fault in faults if fault.startswith("system.")]
        text = "\n".join([f"profile = {profile}", "node = node1", *(fault for fault in faults if fault not in of_machine)]) + "\n"
        version = self.library.resolve().name.partition(".so.")[2]
        if text not in self.read:
            self.scenario.write_text(text, encoding="utf-8")
            understood = described(self.library)
            plant(self.root, shown(understood, version), self.planted)
            self.read[text] = understood, read(self.root, seconds)
        understood, seen = self.read[text]
        return replace(seen, system=changed(around(understood, version), of_machine))


def answer(row: dict[str, Any], node: Node) -> dict[str, Any]:
    """Judge one row: with what the node remembers of the check before, where there was one."""
    expectation = parse(row["inventory"])
    check_against(expectation, TABLES)
    previous: Reading[Snapshot] = Reading.unsupported("this is the first check")
    if row["before"] is not None:
        before = node.look(row["profile"], row["before"], row["seconds"])
        previous = Reading.of(take(replace(before, measured_at=AN_HOUR_BEFORE)))
    start = time.monotonic()
    seen = replace(node.look(row["profile"], row["faults"], row["seconds"]), previous=previous)
    findings = judge(seen, expectation, TABLES, active=False)
    return {
        "verdict": verdict(findings),
        "findings": [finding.to_plain() for finding in findings if finding.status not in (PASS, SKIP)],
        "gpus": len(listed(seen)),
        "duration_s": time.monotonic() - start,
    }


def main() -> None:
    """Answer until there are no more rows."""
    library, scenario, root = (Path(argument) for argument in sys.argv[1:])
    node = Node(library, scenario, root)
    for line in sys.stdin:
        try:
            told: Any = answer(json.loads(line), node)
        except Exception as error:  # noqa: BLE001 - the test that asked is told, and the next row is answered
            told = {"broken": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
