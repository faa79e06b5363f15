"""Which kernel driver holds the GPUs: one that is not NVIDIA's keeps them from jobs."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import node
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables


def check(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require that no other driver than NVIDIA's holds a GPU."""
    about, topology = About("gpu_kernel_driver", node(observation)), observation.system.pci_topology
    absent = about.without(PCI_topology=topology)
    if absent:
        return [absent]
    held = {
        device.address: device.kernel_driver.value
        for device in topology.value.endpoints
        if device.kind == "gpu" and device.kernel_driver.is_known
    }
    others = {address: name for address, name in held.items() if not name.startswith("nvidia")}
    if others:
        address, name = next(iter(others.items()))
        advice = {
            "nouveau": "blacklist nouveau and reboot",
            "vfio-pci": "it is lent to a virtual machine; take it back, or correct the inventory",
        }
        return [
            about.failed(
                f"found {len(others)} GPUs held by another driver ({address} by {name}), expected nvidia: "
                f"{advice.get(name, 'unbind it and load nvidia')}",
                observed=others,
                expected="nvidia",
                source="/sys/bus/pci",
                action="investigate",
                kills_job=True,
            )
        ]
    if not held:
        return [about.skipped("the PCI bus tells of no driver that holds a GPU; see the check gpu_count")]
    return [about.passed(f"NVIDIA's driver holds {len(held)} GPUs", observed=len(held), source="/sys/bus/pci")]
