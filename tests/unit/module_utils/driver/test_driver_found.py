"""A driver without packages: one that was there before, or that NVIDIA's installer brings."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.driver import plan_found
from ansible_collections.gpu.fleet.plugins.module_utils.driver.installed import Installed
from ansible_collections.gpu.fleet.plugins.module_utils.driver.node import Node
from ansible_collections.gpu.fleet.plugins.module_utils.driver.plan import plan
from ansible_collections.gpu.fleet.plugins.module_utils.driver.plan_found import libraries
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.request import Request
from ansible_collections.gpu.fleet.plugins.module_utils.driver.runfile import RunFile
from ansible_collections.gpu.fleet.plugins.module_utils.driver.secure_boot import SecureBoot
from ansible_collections.gpu.fleet.plugins.module_utils.driver.system import System

INSTALLER = RunFile("https://us.download.nvidia.com/tesla/580.95.05/NVIDIA-Linux-x86_64-580.95.05.run", "sha256:" + "0" * 64)
NAMED = {"names": ["libnvidia-ml", "libnvidia-compute"], "source": "test"}
LINKS = {"names": ["nvidia-fabricmanager-{branch}", "libnvidia-nscq-{branch}"], "part": "fabric", "source": "test"}
SYSTEM = System.parse("RedHat-9", {"sources": {"nvidia": {"hold": "versionlock", "packages": [NAMED, LINKS]}}})
ASKED = Request(SYSTEM, "preinstalled")
BY_INSTALLER = replace(ASKED, source="runfile", runfile=INSTALLER, flavour="auto")
H100, V100 = 0x2330, 0x1DB6
KERNEL, LATER = "5.14.0-427.el9.x86_64", "5.14.0-503.el9.x86_64"
NODE = Node({}, (KERNEL,), gpus=(H100,))


@pytest.fixture(autouse=True)
def modules(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """By kernel the version of the module that it has, as modinfo says it."""
    there: dict[str, str] = {}

    def modinfo(*command: str) -> subprocess.CompletedProcess[str]:
        assert command[0] == "modinfo"
        kernel = command[command.index("-k") + 1]
        return subprocess.CompletedProcess(command, 0 if kernel in there else 1, f"{there.get(kernel, '')}\n", "")

    monkeypatch.setattr(plan_found, "run", modinfo)
    return there


def library(root: Path, version: str, folder: str = "usr/lib64") -> None:
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / folder / f"libnvidia-ml.so.{version}").touch()
    (root / folder / "libnvidia-ml.so.1").touch()


def look(request: Request, root: Path, node: Node = NODE) -> dict[str, object]:
    return plan(request, node, root, lambda _: b"")


@pytest.mark.parametrize("folder", ["usr/lib64", "usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu/nvidia/current", "usr/lib"])
def test_the_libraries_say_which_version_is_there(tmp_path: Path, folder: str) -> None:
    assert libraries(tmp_path) == ""
    library(tmp_path, "580.95.05", folder)
    assert libraries(tmp_path) == "580.95.05"
    library(tmp_path, "570.124.06")
    with pytest.raises(Refusal, match=r"Found libraries of the driver at 570\.124\.06 and 580\.95\.05 on the node"):
        libraries(tmp_path)


@pytest.mark.parametrize("wanted", ["", "580", "580.95.05"])
def test_a_preinstalled_driver_is_taken_as_it_is(tmp_path: Path, wanted: str) -> None:
    library(tmp_path, "580.95.05")
    left = look(replace(ASKED, version=wanted), tmp_path)
    assert (left["converged"], left["version"]) == (True, "580.95.05")


def test_a_preinstalled_driver_must_be_there_and_the_wanted_one(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"Found no driver on the node, whose driver is said to be preinstalled\. Expected one\."):
        look(ASKED, tmp_path)
    library(tmp_path, "580.95.05")
    with pytest.raises(Refusal, match=r"Found driver 580\.95\.05 on the node, .* Expected driver 570\."):
        look(replace(ASKED, version="570"), tmp_path)


def test_the_installer_is_run_where_its_version_is_not_there(tmp_path: Path, modules: dict[str, str]) -> None:
    planned = look(BY_INSTALLER, tmp_path)
    assert (planned["converged"], planned["version"], planned["flavour"]) == (False, "580.95.05", "open")
    assert planned["runfile"] == "NVIDIA-Linux-x86_64-580.95.05.run"
    library(tmp_path, "580.95.05")
    modules[KERNEL] = "580.95.05"
    assert look(BY_INSTALLER, tmp_path)["converged"] is True
    assert look(replace(BY_INSTALLER, files=("/etc/nouveau.conf",)), tmp_path)["converged"] is False


@pytest.mark.parametrize("module", ["", "570.124.06"])
def test_it_is_run_again_where_the_kernel_has_no_module_of_the_version(tmp_path: Path, modules: dict[str, str], module: str) -> None:
    library(tmp_path, "580.95.05")
    modules.update({KERNEL: "580.95.05", LATER: module})
    assert look(BY_INSTALLER, tmp_path, replace(NODE, kernels=(LATER,)))["converged"] is False
    assert look(replace(BY_INSTALLER, flavour=""), tmp_path, replace(NODE, kernels=(LATER,)))["converged"] is True


def test_it_is_run_again_where_nothing_says_what_modules_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library(tmp_path, "580.95.05")

    def nothing(*_: str) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(plan_found, "run", nothing)
    assert look(BY_INSTALLER, tmp_path)["converged"] is False


def test_it_is_run_again_where_it_was_killed_half_way(tmp_path: Path, modules: dict[str, str]) -> None:
    library(tmp_path, "580.95.05")
    modules[KERNEL] = "580.95.05"
    note = tmp_path / str(look(BY_INSTALLER, tmp_path)["unfinished"]).lstrip("/")
    note.parent.mkdir(parents=True)
    note.touch()
    assert look(BY_INSTALLER, tmp_path)["converged"] is False
    assert look(replace(BY_INSTALLER, flavour=""), tmp_path)["converged"] is False


def test_gpus_that_nvswitches_link_need_a_fabric_manager_of_the_version(tmp_path: Path) -> None:
    linked = replace(NODE, fabric="nvswitch")
    with pytest.raises(Refusal, match=r"Found NVSwitches, and no fabric manager on the node\. Expected .*fabric manager 580\.95\.05"):
        look(BY_INSTALLER, tmp_path, linked)
    another = {"nvidia-fabricmanager-570": Installed("570.124.06-1", held=True)}
    with pytest.raises(Refusal, match=r"Found NVSwitches, and nvidia-fabricmanager-570 570\.124\.06 on the node\."):
        look(BY_INSTALLER, tmp_path, replace(linked, installed=another))
    there = replace(linked, installed={"nvidia-fabricmanager-580": Installed("580.95.05-1", held=True)})
    assert look(BY_INSTALLER, tmp_path, there)["units"] == ["nvidia-fabricmanager"]
    assert look(replace(BY_INSTALLER, fabric="none"), tmp_path, linked)["units"] == []


@pytest.mark.parametrize(
    ("request_", "node", "message"),
    [
        (replace(BY_INSTALLER, runfile=None), NODE, "Found no nvidia_driver_runfile"),
        (replace(BY_INSTALLER, version="570"), NODE, r"Expected driver 570\."),
        (replace(BY_INSTALLER, runfile=replace(INSTALLER, place="/root/driver.run")), NODE, "Found the installer driver.run"),
        (replace(BY_INSTALLER, flavour="open"), replace(NODE, gpus=(V100,)), "which work with proprietary kernel module"),
        (BY_INSTALLER, replace(NODE, secure_boot=SecureBoot(enabled=True)), "Found Secure Boot"),
        (
            BY_INSTALLER,
            # From branch 590 on, Ubuntu's has no branch in its name.
            replace(NODE, installed={"libnvidia-compute": Installed("590.1", held=True)}),
            "Found the driver's package libnvidia-compute",
        ),
    ],
)
def test_what_the_installer_cannot_do_is_refused(tmp_path: Path, request_: Request, node: Node, message: str) -> None:
    with pytest.raises(Refusal, match=message):
        look(request_, tmp_path, node)
