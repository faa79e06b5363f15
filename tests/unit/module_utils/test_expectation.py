"""A mistake in an inventory is found before anything is measured, and named."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation, ExpectationError, check_against, parse
from unit.module_utils.healthy_node import TABLES


def test_everything_is_optional() -> None:
    assert parse({}) == Expectation()
    assert parse({"gpu_count": None}) == Expectation()
    assert Expectation().gate_fraction == 0.9


def test_what_is_given_is_read() -> None:
    given = {
        "gpu_model": " NVIDIA H100 80GB HBM3 ",
        "gpu_count": 8,
        "driver_version": 535,
        "persistence_mode": True,
        "kernel_module": False,
        "nvlink_links": 18,
        "pcie_width": 16,
        "temperature_max": 70,
        "gate_fraction": 0.85,
        "probe_device": "cpu",
        "torch_version": "2.7.1",
    }
    assert parse(given) == Expectation("NVIDIA H100 80GB HBM3", 8, "535", True, False, 18, 16, 70.0, 0.85, "cpu", "2.7.1")  # noqa: FBT003
    gpus = {"pcie_generation": 5, "power_limit": 500, "mig_mode": False, "compute_mode": "default", "idle": True, "cuda_version": "12.6"}
    assert parse(gpus) == Expectation(
        pcie_generation=5, power_limit=500.0, mig_mode=False, compute_mode="default", idle=True, cuda_version="12.6"
    )
    machine = {"cpu_count": 224, "memory_gib": 2048, "hugepages": 0, "memlock_unlimited": True, "nofile": 65536, "shm_gib": 0.5}
    machine |= {"image_store_free_gib": 100, "container_runtime": False, "peer_to_peer": False}
    machine |= {"infiniband_ports": 8, "infiniband_rate_gb_s": 400, "gpudirect_rdma": True}
    assert parse(machine) == Expectation(**machine)
    assert parse({"gpu_count": 0}).gpu_count == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"gpu_cuont": 8}, "gpu_cuont: there is no such key, is gpu_count meant?"),
        ({"colour": "red"}, "colour: there is no such key; there are gpu_model, gpu_count"),
        ({"gpu_count": "8"}, "gpu_count: found '8', expected a whole number"),
        ({"gpu_count": -1}, "gpu_count: found -1"),
        ({"gpu_count": True}, "gpu_count: found True"),
        ({"gpu_count": 8.0}, "gpu_count: found 8.0"),
        ({"gpu_model": ""}, "gpu_model: found '', expected text"),
        ({"gpu_model": 100}, "gpu_model: found 100"),
        ({"driver_version": 535.86}, "driver_version: found 535.86, expected a version such as .*in quotes"),
        ({"driver_version": "latest"}, "driver_version: found 'latest'"),
        ({"driver_version": "5"}, "driver_version: found '5'"),
        ({"persistence_mode": "yes"}, "persistence_mode: found 'yes', expected true or false"),
        ({"pcie_width": 15}, "pcie_width: found 15, expected a number of lanes"),
        ({"temperature_max": 500}, "temperature_max: found 500, expected a number from 30 to 120"),
        ({"gate_fraction": 0.1}, "gate_fraction: found 0.1, expected a number from 0.3 to 1.0"),
        ({"gate_fraction": float("nan")}, "gate_fraction: found nan"),
        ({"probe_device": "gpu"}, "probe_device: found 'gpu', expected cuda or cpu"),
        ({"torch_version": "latest"}, "torch_version: found 'latest'"),
        ({"pcie_generation": 9}, "pcie_generation: found 9, expected a number from 1 to 8"),
        ({"pcie_generation": 5.0}, "pcie_generation: found 5.0, expected a whole number"),
        ({"power_limit": 5}, "power_limit: found 5, expected a number from 10 to 10000"),
        ({"mig_mode": "off"}, "mig_mode: found 'off', expected true or false"),
        ({"compute_mode": "prohibited"}, "compute_mode: found 'prohibited', expected default or exclusive_process"),
        ({"idle": 1}, "idle: found 1, expected true or false"),
        ({"cuda_version": 12.6}, "cuda_version: found 12.6, expected a version such as .*in quotes"),
        ({"cpu_count": 1.5}, "cpu_count: found 1.5, expected a whole number"),
        ({"memory_gib": 0}, "memory_gib: found 0, expected a number from 0.01"),
        ({"image_store_free_gib": "100G"}, "image_store_free_gib: found '100G'"),
        ({"container_runtime": "docker"}, "container_runtime: found 'docker', expected true or false"),
        ({"infiniband_ports": -1}, "infiniband_ports: found -1"),
        ({"infiniband_rate_gb_s": "NDR"}, "infiniband_rate_gb_s: found 'NDR', expected a number from 1"),
        ({"infiniband_port": 8}, "infiniband_port: there is no such key, is infiniband_ports meant"),
        ({"gpu_count": 0, "gpu_model": "H200", "nvlink_links": 18}, "gpu_count is 0, and yet gpu_model is 'H200'.*; .* nvlink_links is 18"),
    ],
)
def test_a_mistake_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ExpectationError, match=message):
        parse(given)


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(ExpectationError, match=r"gpu_cuont.*pcie_width"):
        parse({"gpu_cuont": 8, "pcie_width": 3})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"gpu_model": "T4", "nvlink_links": 18}, "nvlink_links: found 18, expected at most 0, which is what a Tesla T4 has"),
        ({"gpu_model": "H100 80GB HBM3", "pcie_width": 32}, "pcie_width: found 32, expected at most 16"),
    ],
)
def test_what_no_gpu_of_the_model_can_be_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ExpectationError, match=message):
        check_against(parse(given), TABLES)


@pytest.mark.parametrize(
    "given", [{}, {"nvlink_links": 18}, {"gpu_model": "NVIDIA X1", "nvlink_links": 99}, {"gpu_model": "H100 80GB HBM3", "nvlink_links": 12}]
)
def test_what_can_be_is_accepted(given: dict[str, Any]) -> None:
    check_against(parse(given), TABLES)
