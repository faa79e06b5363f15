"""What is read of the container engine, of its CDI specifications, and of the fabric manager: captured text, and programs under a root."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Completed, Deadline
from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import ContainerEngine
from ansible_collections.gpu.fleet.plugins.module_utils.observe import cdi, container_engine, fabric_manager
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

CTK = Path(__file__).parents[2] / "doubles_toolkit" / "nvidia-ctk-1.20.0" / "cdi-generate.yaml"
INFO: dict[str, Any] = {
    "ServerVersion": "28.2.2",
    "Runtimes": {"runc": {}, "nvidia": {}},
    "CDISpecDirs": ["/etc/cdi", "/var/run/cdi"],
    "DockerRootDir": "/data/docker",
    "DriverStatus": [["Backing Filesystem", "extfs"]],
}


def answer(stdout: str = "", stderr: str = "", code: int = 0, trouble: str = "", *, enabled: bool = True) -> Reading[ContainerEngine]:
    return container_engine.parse(Completed(code, stdout, stderr, trouble), enabled=enabled)


def program(root: Path, name: str, body: str) -> None:
    path = root / "usr/bin" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_an_engine_that_answers() -> None:
    seen = answer(json.dumps(INFO)).value
    assert (seen.answer, seen.version, seen.runtimes, seen.cdi_folders) == (
        "ok",
        "28.2.2",
        ("nvidia", "runc"),
        ("/etc/cdi", "/var/run/cdi"),
    )
    assert seen.image_folders == ("/data/docker",)
    store = {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]], "CDISpecDirs": None}
    seen = answer(json.dumps({**INFO, **store})).value
    assert (seen.cdi_folders, seen.image_folders) == ((), ("/data/docker", "/var/lib/containerd"))


@pytest.mark.parametrize(
    ("text", "answered"),
    [
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", "not running"),
        ("failed to connect to the docker API at unix:///var/run/docker.sock; check if the path is correct", "not running"),
        ("permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock", "forbidden"),
    ],
)
def test_why_an_engine_does_not_answer(text: str, answered: str) -> None:
    for seen in (answer(json.dumps({"ServerErrors": [text]})), answer("{}", f"ERROR: {text}", 1), answer("", text, 1)):
        assert (seen.value.answer, seen.value.image_folders) == (answered, ("/var/lib/docker",))


def test_an_engine_that_hangs_and_one_that_is_none() -> None:
    assert answer(trouble="docker gave no answer within 10.0 s").value.answer == "no answer"
    assert answer(json.dumps({"host": {"arch": "amd64"}})).is_unsupported  # Podman under Docker's name
    assert answer("<html>").is_unreadable
    assert answer("[1]").is_unreadable
    assert answer("", "segmentation fault", 139).is_unreadable


def test_the_engine_of_a_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert container_engine.observe(tmp_path, Deadline(5)).is_unsupported
    program(tmp_path, "podman", "exit 9")
    seen = container_engine.observe(tmp_path, Deadline(5)).value
    assert (seen.name, seen.answer, seen.cdi_folders) == ("podman", "not asked", ("/etc/cdi", "/var/run/cdi"))
    program(tmp_path, "docker", f"test \"$*\" = 'info --format {{{{json .}}}}' && echo '{json.dumps(INFO)}'")
    seen = container_engine.observe(tmp_path, Deadline(5)).value
    assert (seen.answer, seen.enabled) == ("ok", False)
    wants = tmp_path / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / "docker.service").symlink_to("/lib/systemd/system/docker.service")
    assert container_engine.observe(tmp_path, Deadline(5)).value.enabled


def test_a_docker_that_hangs_costs_no_more_than_the_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    program(tmp_path, "docker", "sleep 60")
    assert container_engine.observe(tmp_path, Deadline(0.3)).value.answer == "no answer"


def test_what_nvidia_ctk_writes_is_understood() -> None:
    named = cdi.parse(CTK.read_text())
    assert named.kind == "nvidia.com/gpu"
    assert len(named.devices) == 17
    assert {"0", "7", "all", "GPU-01000100-0000-0000-0000-000000000000"} <= set(named.devices)
    assert [name for name in named.paths if name.startswith("/dev/nvidia")][:2] == ["/dev/nvidia0", "/dev/nvidia1"]
    assert "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.550.163.01" in named.paths
    assert any(name.endswith("nvidia-cdi-hook") for name in named.paths)


def test_json_says_the_same_as_yaml() -> None:
    document = {
        "kind": "nvidia.com/gpu",
        "devices": [
            {"name": "0", "containerEdits": {"deviceNodes": [{"path": "/dev/nvidia0", "hostPath": "/run/nvidia/driver/dev/nvidia0"}]}}
        ],
        "containerEdits": {"mounts": [{"hostPath": "/usr/lib/libcuda.so.570.1", "containerPath": "/usr/lib/libcuda.so.570.1"}]},
    }
    yaml = """cdiVersion: "0.5.0"
kind: "nvidia.com/gpu"
devices:
- name: "0"
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
      hostPath: /run/nvidia/driver/dev/nvidia0
containerEdits:
  mounts:
  - hostPath: /usr/lib/libcuda.so.570.1
    containerPath: /usr/lib/libcuda.so.570.1
"""
    expected = ("nvidia.com/gpu", ("0",), ("/run/nvidia/driver/dev/nvidia0", "/usr/lib/libcuda.so.570.1"))
    assert cdi.parse(json.dumps(document)) == cdi.parse(yaml) == expected


def test_what_a_specification_names_and_the_node_lacks(tmp_path: Path) -> None:
    folders = ("/etc/cdi", "/var/run/cdi")
    assert cdi.observe(tmp_path, folders).is_unsupported
    folder = tmp_path / "etc/cdi"
    folder.mkdir(parents=True)
    (folder / "other.yaml").write_text("kind: vendor.com/nic\n")
    (folder / "notes.txt").write_text("kind: nvidia.com/gpu\n")
    assert cdi.observe(tmp_path, folders).is_unsupported
    (folder / "nvidia.yaml").write_text(CTK.read_text())
    for name in cdi.parse(CTK.read_text()).paths:
        path = tmp_path / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (spec,) = cdi.observe(tmp_path, folders).value
    assert (spec.path, spec.missing, spec.driver_versions) == ("/etc/cdi/nvidia.yaml", (), ("550.163.01",))
    assert spec.device_nodes == tuple(f"/dev/nvidia{minor}" for minor in range(8))
    (tmp_path / "dev/nvidia3").unlink()
    (spec,) = cdi.observe(tmp_path, folders).value
    assert spec.missing == ("/dev/nvidia3",)


def test_a_driver_below_a_root_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "etc/cdi").mkdir(parents=True)
    lines = ["kind: nvidia.com/gpu", "devices:", "- name: all", "  containerEdits:", "    deviceNodes:", "    - path: /dev/nvidia0"]
    (tmp_path / "etc/cdi/nvidia.yaml").write_text("\n".join([*lines, "      hostPath: /run/nvidia/driver/dev/nvidia0"]))
    (spec,) = cdi.observe(tmp_path, ("/etc/cdi",)).value
    assert (spec.device_nodes, spec.missing) == (("/dev/nvidia0",), ("/run/nvidia/driver/dev/nvidia0",))


def test_a_specification_that_is_no_json_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "etc/cdi").mkdir(parents=True)
    (tmp_path / "etc/cdi/nvidia.json").write_text('{"kind": ')
    assert cdi.observe(tmp_path, ("/etc/cdi",)).is_unreadable


def test_the_fabric_managers_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert fabric_manager.version(tmp_path, Deadline(5)).is_unsupported
    program(tmp_path, "nv-fabricmanager", 'test "$1" = --version && echo "Fabric Manager version is : 570.124.06"')
    assert fabric_manager.version(tmp_path, Deadline(5)) == Reading.of("570.124.06")
    program(tmp_path, "nv-fabricmanager", "echo usage")
    assert fabric_manager.version(tmp_path, Deadline(5)).is_unreadable
    program(tmp_path, "nv-fabricmanager", "sleep 60")
    assert fabric_manager.version(tmp_path, Deadline(0.3)).is_unreadable
