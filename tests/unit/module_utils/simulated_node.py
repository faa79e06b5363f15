"""A simulated node without a sandbox: the NVML double, the bindings that a node is sent, and the files that the kernel would show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils import bindings, kit
from unit.module_utils.healthy_node import BUSES

REPOSITORY = Path(__file__).parents[3]
DRIVER = "570.124.06"
PROGRAM = """
import json, sys, time
from pathlib import Path
from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Deadline
from ansible_collections.gpu.fleet.plugins.module_utils.expectation import parse
from ansible_collections.gpu.fleet.plugins.module_utils.judge.checks import judge
from ansible_collections.gpu.fleet.plugins.module_utils.observe.node import observe
from ansible_collections.gpu.fleet.plugins.module_utils.verdict import verdict
from unit.module_utils.healthy_node import TABLES

def bindings():
    import pynvml
    return pynvml

root, expectation, seconds = sys.argv[1:]
start = time.monotonic()
findings = judge(observe(bindings, Deadline(float(seconds)), None, Path(root)), parse(json.loads(expectation)), TABLES, active=False)
result = {"verdict": verdict(findings), "findings": [finding.to_plain() for finding in findings], "duration_s": time.monotonic() - start}
print(json.dumps(result))
"""


def nvml_header() -> Path | None:
    """Find NVIDIA's nvml.h, which the test dependency nvidia-nvml-dev carries."""
    return next(iter(sorted(Path(sysconfig.get_path("purelib")).glob("nvidia/*/include/nvml.h"))), None)


@dataclass(frozen=True)
class SimulatedNode:
    """A folder with the library and the kernel's files."""

    folder: Path

    @classmethod
    def build(cls, folder: Path, driver: str = DRIVER) -> SimulatedNode:
        """Compile the double and lay out the files; the library is of the version that its file's name says."""
        header = nvml_header()
        assert header is not None
        make = ["make", "--silent", f"NVML_INCLUDE={header.parent}", f"BUILD={folder}", "CFLAGS=-O0"]
        subprocess.run(make, cwd=REPOSITORY / "tests" / "doubles" / "nvml", check=True)
        (folder / f"libnvidia-ml.so.{driver}").write_bytes((folder / "libnvidia-ml.so.1").read_bytes())
        (folder / "libnvidia-ml.so.1").unlink()
        (folder / "libnvidia-ml.so.1").symlink_to(f"libnvidia-ml.so.{driver}")
        (folder / "pynvml.py").write_bytes(bindings.lean(kit.bindings_file()))
        node = cls(folder)
        for index, bus in enumerate(BUSES):
            device = node.root / "sys/bus/pci/devices" / f"0000:{bus}:00.0"
            device.mkdir(parents=True)
            for name, text in (("vendor", "0x10de"), ("device", "0x2330"), ("class", "0x030200")):
                (device / name).write_text(text + "\n")
            (node.root / "dev").mkdir(exist_ok=True)
            (node.root / f"dev/nvidia{index}").touch()
        (node.root / "dev/shm").mkdir()
        (node.root / "dev/kmsg").write_text("5,0,0,-;Linux version 6.1.0\n")
        return node

    @property
    def root(self) -> Path:
        """Where the kernel's files are."""
        return self.folder / "root"

    def environment(self, scenario: str) -> dict[str, str]:
        """Point the loader at the double, and the double at a scenario."""
        (self.folder / "scenario.conf").write_text(f"profile = h100-sxm\n{scenario}\n")
        return {
            **os.environ,
            "LD_LIBRARY_PATH": str(self.folder),
            "GPU_FLEET_DOUBLE_SCENARIO": str(self.folder / "scenario.conf"),
            "PYTHONPATH": f"{self.folder}:{REPOSITORY / '.collections'}:{REPOSITORY / 'tests'}",
        }

    def check(self, scenario: str = "", expectation: dict[str, Any] | None = None, seconds: float = 30, python: Sequence[str] = ()) -> Any:
        """Run the passive check in a process of its own."""
        command = [*(python or [sys.executable]), "-c", PROGRAM, str(self.root), json.dumps(expectation or {}), str(seconds)]
        done = subprocess.run(command, env=self.environment(scenario), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
