"""The role that installs the driver and the check that judges it agree on which GPUs need which flavour of kernel module."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.gpu_generation import GENERATIONS, generation_of
from ansible_collections.gpu.fleet.plugins.module_utils.judge import driver_fit
from ansible_collections.gpu.fleet.plugins.module_utils.observation import KernelModule, PciBus
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from unit.module_utils.healthy_node import TABLES, observation

EDGES = [*(row.first_id for row in GENERATIONS), 0xFFFF]


@pytest.mark.parametrize("device_id", sorted({number for edge in EDGES for number in (edge - 1, edge, edge + 1) if 0 <= number <= 0xFFFF}))
@pytest.mark.parametrize("flavour", ["open", "proprietary"])
def test_the_check_accepts_what_the_role_installs(device_id: int, flavour: str) -> None:
    fits = flavour in generation_of(device_id).flavours
    node = observation()
    gpu = replace(node.pci.value.gpus[0], device_id=f"{device_id:04x}")
    node = replace(node, pci=Reading.of(PciBus((gpu,), ())), kernel_module=Reading.of(KernelModule("570.124.06", flavour)))
    (finding,) = driver_fit.flavour(node, Expectation(), TABLES)
    assert finding.status == ("pass" if fits else "fail")
