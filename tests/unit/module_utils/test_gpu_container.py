"""How containers get GPUs, by what the engine says of itself."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.gpu_container import gpu_options

RUNTIME = {"ServerVersion": "20.10.24", "Runtimes": {"runc": {"path": "runc"}, "nvidia": {"path": "nvidia-container-runtime"}}}
CDI = {"ServerVersion": "26.1.5", "Runtimes": {"runc": {}, "nvidia": {}}, "CDISpecDirs": ["/etc/cdi", "/var/run/cdi"]}


@pytest.mark.parametrize(
    ("engine", "gpus", "options"),
    [
        (RUNTIME, "all", ["--runtime", "nvidia", "--env", "NVIDIA_VISIBLE_DEVICES=nvidia.com/gpu=all"]),
        (RUNTIME, [0, 3], ["--runtime", "nvidia", "--env", "NVIDIA_VISIBLE_DEVICES=nvidia.com/gpu=0,nvidia.com/gpu=3"]),
        ({**RUNTIME, "CDISpecDirs": []}, ["GPU-1"], ["--runtime", "nvidia", "--env", "NVIDIA_VISIBLE_DEVICES=nvidia.com/gpu=GPU-1"]),
        ({**RUNTIME, "CDISpecDirs": None}, "all", ["--runtime", "nvidia", "--env", "NVIDIA_VISIBLE_DEVICES=nvidia.com/gpu=all"]),
        (CDI, "all", ["--device", "nvidia.com/gpu=all"]),
        (CDI, [0, 3], ["--device", "nvidia.com/gpu=0", "--device", "nvidia.com/gpu=3"]),
        (CDI, [], ["--env", "NVIDIA_VISIBLE_DEVICES=void"]),
        ({}, [], ["--env", "NVIDIA_VISIBLE_DEVICES=void"]),
    ],
)
def test_options(engine: dict[str, Any], gpus: Any, options: list[str]) -> None:
    assert gpu_options(engine, gpus) == options


def test_an_engine_without_gpus_says_what_to_install() -> None:
    with pytest.raises(ValueError, match=r"version 20.10.24.*neither CDI nor the runtime 'nvidia' \(runtimes: runc\).*container toolkit"):
        gpu_options({"ServerVersion": "20.10.24", "Runtimes": {"runc": {}}})
    with pytest.raises(ValueError, match="runtimes: none"):
        gpu_options({"ServerVersion": "20.10.24"})


def test_an_engine_that_does_not_answer_is_not_one_without_gpus() -> None:
    with pytest.raises(ValueError, match="does not answer"):
        gpu_options({})
    with pytest.raises(ValueError, match=r"does not answer \(Cannot connect to the Docker daemon\)"):
        gpu_options({"ServerVersion": "", "ServerErrors": ["Cannot connect to the Docker daemon"]})


@pytest.mark.parametrize("engine", [RUNTIME, CDI])
def test_without_a_specification_there_is_the_runtime(engine: dict[str, Any]) -> None:
    """Docker 28.2 and later has folders for specifications wherever nobody switched CDI off."""
    assert gpu_options(engine, [0, 3], described=False) == ["--runtime", "nvidia", "--env", "NVIDIA_VISIBLE_DEVICES=0,3"]


@pytest.mark.parametrize("gpus", ["", "0,1", ["all", 0], ["0 ,1"], [""]])
def test_gpus_that_cannot_be_meant(gpus: Any) -> None:
    with pytest.raises(ValueError, match="expected 'all' or a list"):
        gpu_options(CDI, gpus)
