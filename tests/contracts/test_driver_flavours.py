"""The role that installs the driver and the check that judges it agree on which GPUs need which flavour of kernel module."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.judge import driver_fit
from ansible_collections.gpu.fleet.plugins.module_utils.observation import KernelModule, PciBus
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from unit.module_utils.healthy_node import TABLES, observation

ROLE = Path(__file__).parents[2] / "roles" / "nvidia_driver" / "vars" / "main.yml"
LIMITS = next(
    value for value in yaml.safe_load(ROLE.read_text(encoding="utf-8")).values() if isinstance(value, dict) and "open_from" in value
)
EDGES = sorted({LIMITS["open_from"], *(edge for pair in LIMITS["open_only"] for edge in pair)})


@pytest.mark.parametrize("device_id", sorted({number for edge in EDGES for number in (edge - 1, edge, edge + 1) if number <= 0xFFFF}))
@pytest.mark.parametrize("flavour", ["open", "proprietary"])
def test_the_check_accepts_what_the_role_installs(device_id: int, flavour: str) -> None:
    only_open = any(first <= device_id <= last for first, last in LIMITS["open_only"])
    fits = device_id >= LIMITS["open_from"] if flavour == "open" else not only_open
    node = observation()
    gpu = replace(node.pci.value.gpus[0], device_id=f"{device_id:04x}")
    node = replace(node, pci=Reading.of(PciBus((gpu,), ())), kernel_module=Reading.of(KernelModule("570.124.06", flavour)))
    (finding,) = driver_fit.flavour(node, Expectation(), TABLES)
    assert finding.status == ("pass" if fits else "fail")
