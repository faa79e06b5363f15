"""The fabric manager: on a node with NVSwitches it must run, in the driver's version, or CUDA does not start (error 802)."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import node
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation
from ansible_collections.gpu.fleet.plugins.module_utils.observe.daemons import FABRIC_MANAGER
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_SOURCE = "NVIDIA Fabric Manager user guide"


def check(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require it where NVSwitches are on the PCI bus.

    Those of NVLink 5 are not: there, and in a container, what the GPUs say of their fabric has to do (the check `fabric`).
    """
    about, system = About("fabric_manager", node(observation)), observation.system
    if not observation.pci.is_known:
        return [about.skipped("the PCI bus could not be read; see the check gpu_count")]
    switches = len(observation.pci.value.nvswitches)
    if not switches:
        return [about.skipped("no NVSwitch on the PCI bus")]
    if system.sees_all_processes.is_known and not system.sees_all_processes.value:
        return [about.skipped("a container: the fabric manager is its host's; see the check fabric")]
    absent = about.without(running_daemons=system.daemons)
    if absent:
        return [absent]
    if FABRIC_MANAGER not in system.daemons.value:
        return [
            _failed(
                about,
                f"found no fabric manager running, expected it, since there are {switches} NVSwitches: systemctl enable --now "
                "nvidia-fabricmanager, and read its journal if it does not stay",
                "not running",
                "running",
            )
        ]
    return [_version(about, observation)]


def _version(about: About, observation: Observation) -> Finding:
    found, driver = observation.system.fabric_manager_version, observation.nvml.driver_version
    if found.is_unreadable:
        return about.error(f"the fabric manager runs, and its version could not be read: {found.why}; expected the driver's")
    if found.is_unsupported or not driver.is_known:
        return about.passed("the fabric manager runs", observed="running", expected="running", source=_SOURCE)
    if found.value == driver.value:
        return about.passed(f"the fabric manager {found.value} runs", observed=found.value, expected=driver.value, source=_SOURCE)
    return _failed(
        about,
        f"found the fabric manager at version {found.value}, expected {driver.value}, the driver's: install that version, then restart it",
        found.value,
        driver.value,
    )


def _failed(about: About, message: str, observed: str, expected: str) -> Finding:
    return about.failed(message, observed=observed, expected=expected, source=_SOURCE, action="investigate", kills_job=True)
