"""Check after check of one simulated node: what it remembers, how its verdict comes back, and that it is left as it was found."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from unit.module_utils.simulated_node import SimulatedNode, nvml_header

pytestmark = pytest.mark.skipif(
    nvml_header() is None or shutil.which("make") is None or shutil.which("gcc") is None, reason="needs nvidia-nvml-dev, make and gcc"
)

PROGRAM = """
import json, os, sys
from dataclasses import replace
from pathlib import Path

root, history, log, options = sys.argv[1:]
root, options, log = Path(root), json.loads(options), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.chown", "os.link", "os.symlink", "os.truncate", "os.utime",
           "os.setxattr", "os.kill", "os.killpg", "shutil.rmtree", "signal.pthread_kill", "socket.connect")

def told(event, arguments):
    opened_to_change = event == "open" and arguments[2] and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    if opened_to_change or event in CHANGES:
        os.write(log, (json.dumps([event, str(arguments[0])]) + "\\n").encode())
    if event == "subprocess.Popen":
        os.write(log, (json.dumps([event, " ".join(map(str, arguments[1]))]) + "\\n").encode())

class Recorded:
    "NVML's bindings, with every function that is called told."
    def __init__(self, nvml): self.nvml = nvml
    def __getattr__(self, name):
        if name.startswith("nvml"):
            os.write(log, (json.dumps(["NVML", name]) + "\\n").encode())
        return getattr(self.nvml, name)

def bindings():
    import pynvml
    return Recorded(pynvml)

sys.dont_write_bytecode = True
from ansible_collections.gpu.fleet.plugins.module_utils.expectation import parse
from ansible_collections.gpu.fleet.plugins.module_utils.readiness import Memory, Request, measure
from unit.module_utils.healthy_node import TABLES
request = Request("passive", "", "", 30.0, parse({}), Memory(Path(history), **options))
sys.addaudithook(told)
print(json.dumps(measure(request, bindings, TABLES, root=root)))
"""


class Node:
    """A simulated node with its history."""

    def __init__(self, simulated: SimulatedNode, folder: Path) -> None:
        self.simulated, self.history, self.log = simulated, folder / "gpu-fleet" / "history.json", folder / "log"
        self.kernel_log = simulated.root / "dev/kmsg"
        boot_id = simulated.root / "proc/sys/kernel/random/boot_id"
        boot_id.parent.mkdir(parents=True, exist_ok=True)
        boot_id.write_text("5f7a8a2e-0000-4000-8000-000000000000\n")
        self.kernel_log.write_text("5,0,0,-;Linux version 6.1.0\n")

    def check(self, scenario: str = "", **options: Any) -> tuple[str, dict[str, Any]]:
        """Check it in a process of its own; the verdict, and the finding `history`."""
        command = [sys.executable, "-c", PROGRAM, str(self.simulated.root), str(self.history), str(self.log), json.dumps(options)]
        environment = self.simulated.environment(scenario)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        return result["verdict"], next(finding for finding in result["findings"] if finding["check"] == "history")

    def done(self, *kinds: str) -> set[str]:
        """What the last check did of these kinds; a file that is opened again by its descriptor was told before."""
        events = map(json.loads, self.log.read_text().splitlines())
        return {what for event, what in events if event.startswith(kinds) and not what.isdigit()}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> SimulatedNode:
    return SimulatedNode.build(tmp_path_factory.mktemp("node"))


@pytest.fixture
def node(simulated: SimulatedNode, tmp_path: Path) -> Node:
    return Node(simulated, tmp_path)


def test_a_gpu_that_comes_and_goes_leaves_a_degraded_node(node: Node) -> None:
    assert node.check()[0] == "ready"
    assert node.check("gpu.3.lost = true")[0] == "not_ready"
    verdict, history = node.check()
    assert (verdict, history["status"]) == ("degraded", "fail")
    assert "gpu_answers" in history["message"]
    assert node.check()[0] == "degraded"
    assert node.check(flap_window_s=0)[0] == "ready"
    assert node.check(recovered=True)[0] == "ready"
    assert node.check()[0] == "ready"


def test_a_recovery_forgives_what_the_log_holds_and_nothing_after_it(node: Node) -> None:
    fallen = "4,{number},{at},-;NVRM: Xid (PCI:0000:61:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.\n"
    with node.kernel_log.open("a") as log:
        log.write(fallen.format(number=1, at=90_000_000))
    assert node.check()[0] == "not_ready"
    assert node.check(recovered=True)[0] == "ready"
    assert node.check()[0] == "ready"
    with node.kernel_log.open("a") as log:
        log.write(fallen.format(number=2, at=900_000_000))
    assert node.check()[0] == "not_ready"


def test_counters_are_judged_by_their_change(node: Node) -> None:
    # A counter that was high before anybody looked says nothing; nor does one that stands still.
    assert node.check("gpu.3.pcie.replays = 100000")[0] == "ready"
    assert node.check("gpu.3.pcie.replays = 100000")[0] == "ready"
    assert node.check("gpu.3.pcie.replays = 900000")[0] == "degraded"


def test_a_foreign_history_is_set_aside_reported_and_no_reason(node: Node) -> None:
    node.history.parent.mkdir()
    node.history.write_text('{"schema": 1, "snapshot":')
    verdict, history = node.check(keep=False)
    assert (verdict, history["status"]) == ("ready", "skip")
    assert f"{node.history} holds no history of this check" in history["message"]
    assert node.history.read_text() == '{"schema": 1, "snapshot":'
    verdict, history = node.check()
    assert (verdict, history["status"]) == ("ready", "skip")
    assert "set aside as" in history["message"]
    assert node.check() == ("ready", node.check()[1])
    assert node.check()[1]["status"] == "pass"


def test_a_check_leaves_everything_as_it_found_it(node: Node) -> None:
    before = {path: path.lstat().st_mtime_ns for path in node.simulated.root.rglob("*")}
    node.check()
    assert {path: path.lstat().st_mtime_ns for path in node.simulated.root.rglob("*")} == before
    called = node.done("NVML")
    assert "nvmlDeviceGetHandleByIndex" in called
    assert not {name for name in called if any(verb in name for verb in ("Set", "Reset", "Clear", "Create", "Destroy", "Modify", "Enable"))}
    written = node.done("open", "os.", "shutil")
    assert not {name for name in written if not name.startswith((str(node.history.parent), "/dev/null"))}
    assert {name.split()[0] for name in node.done("subprocess")} <= {"journalctl", "docker", "nv-fabricmanager"}
    assert not [name for name in node.done("subprocess") if any(word in name for word in (" run", " rm", " pull", " start"))]


def test_a_check_in_check_mode_writes_nothing(node: Node) -> None:
    node.check(keep=False)
    assert not {name for name in node.done("open", "os.", "shutil") if name != "/dev/null"}
    assert not node.history.parent.exists()
