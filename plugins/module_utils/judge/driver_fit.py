"""Does the driver fit: its kernel module the GPUs, and its CUDA the image."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import SOURCE, Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.gpu_generation import generation_of
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import node
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_KERNEL_MODULES = "NVIDIA driver installation guide: kernel modules"
_COMPATIBILITY = "NVIDIA CUDA compatibility: minor versions"


def flavour(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require the flavour of kernel module, open or proprietary, that knows every GPU on the PCI bus."""
    about, module, bus = About("kernel_module_flavour", node(observation)), observation.kernel_module, observation.pci
    absent = about.without(kernel_module=module, PCI_bus=bus)
    if absent:
        return [absent]
    found = module.value.flavour
    strangers = {gpu.address: _other(gpu.device_id, found) for gpu in bus.value.gpus if _other(gpu.device_id, found)}
    if not strangers:
        message = f"the {found} kernel module knows the GPUs here"
        return [about.passed(message, observed=found, expected=found, source=_KERNEL_MODULES)]
    wanted = next(iter(strangers.values()))
    return [
        about.failed(
            f"found the {found} kernel module, expected the {wanted} one, since the {found} one does not know the GPUs at "
            f"{', '.join(strangers)}: install the driver with its {wanted} modules (role gpu.fleet.nvidia_driver)",
            observed=found,
            expected=wanted,
            source=_KERNEL_MODULES,
            action="investigate",
            kills_job=True,
        )
    ]


def cuda(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require a driver on which an image of the CUDA version that the inventory names can run."""
    about, found, wanted = About("driver_cuda", node(observation)), observation.nvml.cuda_version, expectation.cuda_version
    if wanted is None:
        return [about.skipped("the inventory names no CUDA version", observed=found.value if found.is_known else None)]
    status = observation.nvml.status
    if status.is_known and status.value != "SUCCESS":
        return [about.skipped("NVML does not start; see the check driver")]
    absent = about.without(the_drivers_CUDA_version=found)
    if absent:
        return [absent]
    if _major(found.value) >= _major(wanted):
        message = f"the driver is of CUDA {found.value}, and runs what was built for {wanted}"
        return [about.passed(message, observed=found.value, expected=wanted, source=_COMPATIBILITY)]
    return [
        about.failed(
            f"found a driver of CUDA {found.value}, expected one of CUDA {_major(wanted)} or later for an image of CUDA {wanted}: "
            "install a newer driver (role gpu.fleet.nvidia_driver), or take an image of an older CUDA",
            observed=found.value,
            expected=wanted,
            source=f"{SOURCE}; {_COMPATIBILITY}",
            action="investigate",
            kills_job=True,
        )
    ]


def _other(device_id: str, flavour: str) -> str:
    """Name the flavour that a GPU needs where it is another than this one."""
    try:
        number = int(device_id, 16)
    except ValueError:
        return ""  # no device id, and so nothing to tell from it
    fitting = generation_of(number).flavours
    return "" if flavour in fitting else fitting[0]


def _major(version: str) -> int:
    return int(version.split(".", maxsplit=1)[0])
