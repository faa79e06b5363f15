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
        (RUNTIME, "all", ["--runtime", "nvidia", "--env", "NVIDIA_VISIBLE_DEVICES=all"]),
        (RUNTIME, [0, 3], ["--runtime", "nvidia", "--env", "NVIDIA_VISIBLE_DEVICES=0,3"]),
        ({**RUNTIME, "CDISpecDirs": []}, ["GPU-1"], ["--runtime", "nvidia", "--env", "NVIDIA_VISIBLE_DEVICES=GPU-1"]),
        ({**RUNTIME, "CDISpecDirs": None}, "all", ["--runtime", "nvidia", "--env", "NVIDIA_VISIBLE_DEVICES=all"]),
        (CDI, "all", ["--device", "nvidia.com/gpu=all"]),
        (CDI, [0, 3], ["--device", "nvidia.com/gpu=0", "--device", "nvidia.com/gpu=3"]),
        (CDI, [], []),
    ],
)
def test_options(engine: dict[str, Any], gpus: Any, options: list[str]) -> None:
    assert gpu_options(engine, gpus) == options


def test_an_engine_without_gpus_says_what_to_install() -> None:
    with pytest.raises(ValueError, match=r"version 20.10.24.*neither CDI nor the runtime 'nvidia' \(runtimes: runc\).*container toolkit"):
        gpu_options({"ServerVersion": "20.10.24", "Runtimes": {"runc": {}}})
    with pytest.raises(ValueError, match="runtimes: none"):
        gpu_options({})


@pytest.mark.parametrize("gpus", ["", "0,1", ["all", 0], ["0 ,1"], [""]])
def test_gpus_that_cannot_be_meant(gpus: Any) -> None:
    with pytest.raises(ValueError, match="expected 'all' or a list"):
        gpu_options(CDI, gpus)
