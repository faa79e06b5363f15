"""The double of nvidia-container-runtime: what a container asks for, and what it gets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from doubles.container_toolkit.toolkit_double import hooks, nvml, oci, runtime, spec

if TYPE_CHECKING:
    from pathlib import Path

DRIVER = nvml.Driver("550.163.01", (nvml.Gpu(0, "GPU-a", 0), nvml.Gpu(1, "GPU-b", 1)))
NODES = {index: spec.Node(f"/dev/nvidia{index}", 195, index, 0o666) for index in range(2)}
FILES = spec.Files(libraries=(("/usr/lib/libcuda.so.550.163.01", "libcuda.so.1"),), others=("/usr/bin/nvidia-smi",))
SPEC = spec.build(DRIVER, NODES, FILES)


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("all", ["all"]),
        ("0,1", ["0", "1"]),
        ("GPU-b", ["GPU-b"]),
        ("nvidia.com/gpu=1", ["1"]),
        ("none", []),
        ("void", None),
        ("", None),
    ],
)
def test_requested(value: str, names: list[str] | None) -> None:
    assert oci.requested({"process": {"env": ["PATH=/bin", f"NVIDIA_VISIBLE_DEVICES={value}"]}}) == names


def test_nothing_requested() -> None:
    assert oci.requested({}) is None


def test_one_gpu() -> None:
    config = {"process": {"env": ["NVIDIA_VISIBLE_DEVICES=1"]}, "linux": {"resources": {"devices": [{"allow": False, "access": "rwm"}]}}}
    oci.apply(config, SPEC, ["1"])
    assert [device["path"] for device in config["linux"]["devices"]] == ["/dev/nvidia1"]
    assert config["linux"]["resources"]["devices"] == [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "major": 195, "minor": 1, "access": "rwm"},
    ]
    assert config["process"]["env"][0] == "NVIDIA_VISIBLE_DEVICES=void"
    assert {mount["destination"] for mount in config["mounts"]} == {"/usr/lib/libcuda.so.550.163.01", "/usr/bin/nvidia-smi"}
    assert [hook["args"][1] for hook in config["hooks"]["createContainer"]][:3] == [
        "create-symlinks",
        "enable-cuda-compat",
        "update-ldcache",
    ]


def test_the_driver_without_gpus() -> None:
    config = oci.apply({}, SPEC, [])
    assert "linux" not in config
    assert config["mounts"]


def test_unknown_device() -> None:
    with pytest.raises(oci.UnknownDeviceError, match=r"unresolvable CDI devices nvidia\.com/gpu=9"):
        oci.apply({}, SPEC, ["0", "9"])


@pytest.mark.parametrize("arguments", [["create", "--bundle", "/b", "id"], ["create", "--bundle=/b", "id"], ["create", "-b", "/b", "id"]])
def test_bundle_option(arguments: list[str]) -> None:
    assert runtime.option(arguments, "--bundle", "-b") == "/b"
    assert runtime.option(["create", "id"], "--bundle", "-b") is None


def test_bundle_is_edited_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spec, "generate", lambda *_, **__: SPEC)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"process": {"env": ["NVIDIA_VISIBLE_DEVICES=all"]}}))
    runtime.add_gpus(config)
    assert len(json.loads(config.read_text())["linux"]["devices"]) == 2


def test_container_root_is_relative_to_the_bundle(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"root": {"path": "rootfs"}}))
    assert hooks.container_root({"bundle": str(tmp_path)}) == tmp_path / "rootfs"


@pytest.mark.parametrize("name", hooks.NO_OPERATION)
def test_hooks_that_have_nothing_to_do(name: str) -> None:
    assert hooks.main([name, "--host-driver-version=550.163.01"]) == 0
