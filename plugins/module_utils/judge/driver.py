"""The driver: does NVML answer, and do kernel module, library and inventory mean the same version."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import SOURCE, Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import node
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_STARTS = "libnvidia-ml.so.1 that starts"
_NOT_STARTED = {
    "LIBRARY_NOT_FOUND": (
        (
            "found no libnvidia-ml.so.1 in the loader's paths, expected the driver's library: "
            "install the driver (role gpu.fleet.nvidia_driver), or look at ldconfig -p"
        ),
        "investigate",
    ),
    "DRIVER_NOT_LOADED": (
        (
            "found libnvidia-ml.so.1 but no loaded NVIDIA kernel module, expected both: "
            "try modprobe nvidia and read the kernel log; a new kernel without a module for it is the usual cause"
        ),
        "investigate",
    ),
    "GPU_IS_LOST": ("found NVML not to start because a GPU has fallen off the bus, expected all to answer: reboot the node", "reboot"),
}


def starts(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require that NVML loads and answers."""
    about, nvml = About("driver", node(observation)), observation.nvml
    if not nvml.status.is_known:
        return [about.error(f"whether the driver answers could not be told: {nvml.status.why}; expected NVML to start: try nvidia-smi")]
    status = nvml.status.value
    if status == "SUCCESS":
        version = _text(nvml.driver_version)
        return [about.passed(f"the driver answers (version {version})", observed=version)]
    if status == "LIB_RM_VERSION_MISMATCH":
        return [
            _failed(
                about,
                f"found the library at version {_text(nvml.library_version)} and the loaded kernel module at "
                f"{_module(observation)}, expected one version: the driver was upgraded under the running module, reboot the node",
                observed=f"library {_text(nvml.library_version)}, kernel module {_module(observation)}",
                expected="one version",
                action="reboot",
            )
        ]
    if status in _NOT_STARTED:
        message, action = _NOT_STARTED[status]
        return [_failed(about, message, observed=status, expected=_STARTS, action=action)]
    return [about.error(f"NVML did not start: found {status}, expected SUCCESS: try nvidia-smi as root and read the kernel log")]


def version(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require the driver version that the inventory wants: exactly, or as a branch (`535` is any 535.x)."""
    about, found = About("driver_version", node(observation)), observation.nvml.driver_version
    wanted = expectation.driver_version
    if wanted is None:
        return [about.skipped("the inventory expects no certain driver version", observed=found.value if found.is_known else None)]
    absent = _not_started(about, observation) or about.without(driver_version=found)
    if absent:
        return [absent]
    if f"{found.value}.".startswith(f"{wanted}."):
        return [about.passed(f"driver {found.value}", observed=found.value, expected=wanted, source=SOURCE)]
    return [
        about.failed(
            f"found driver {found.value}, expected {wanted}: run the role gpu.fleet.nvidia_driver, or correct the inventory",
            observed=found.value,
            expected=wanted,
            source=SOURCE,
            action="investigate",
            kills_job=False,
        )
    ]


def library(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require that the library file belongs to the driver that runs."""
    about, nvml = About("driver_library", node(observation)), observation.nvml
    absent = _not_started(about, observation) or about.without(driver_version=nvml.driver_version, library_version=nvml.library_version)
    return [absent or _same(about, "library file", nvml.library_version.value, nvml.driver_version.value)]


def kernel_module(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require that the kernel module that /proc shows is the driver that NVML talks to."""
    about, module, driver = About("kernel_module", node(observation)), observation.kernel_module, observation.nvml.driver_version
    if module.is_unsupported and expectation.kernel_module:
        return [
            _failed(
                about,
                f"found no loaded kernel module ({module.why}), expected one: try modprobe nvidia and read the kernel log",
                observed=None,
                expected="a loaded NVIDIA kernel module",
                action="investigate",
                source=SOURCE,
            )
        ]
    if module.is_unsupported:
        reason = "; the inventory says that this node has no kernel of its own" if expectation.kernel_module is False else ""
        return [about.skipped(module.why + reason)]
    absent = _not_started(about, observation) or about.without(kernel_module=module, driver_version=driver)
    return [absent or _same(about, f"{module.value.flavour} kernel module", module.value.version, driver.value)]


def _not_started(about: About, observation: Observation) -> Finding | None:
    """Leave it to the check `driver` to say that NVML does not start."""
    status = observation.nvml.status
    if status.is_known and status.value != "SUCCESS":
        return about.skipped("NVML does not start; see the check driver")
    return None


def _same(about: About, what: str, found: str, running: str) -> Finding:
    if found == running:
        return about.passed(
            f"the {what} {found} belongs to the running driver", observed=found, expected=running, source="the running driver"
        )
    return _failed(
        about,
        f"found the {what} at version {found}, expected {running}, the running driver: "
        "an upgrade is half done; reboot the node, then hold the driver's packages",
        observed=found,
        expected=running,
        action="reboot",
        source="the running driver",
    )


def _failed(  # noqa: PLR0913 - a failure has that many sides
    about: About, message: str, *, observed: object, expected: object, action: str, source: str = "NVML"
) -> Finding:
    return about.failed(message, observed=observed, expected=expected, source=source, action=action, kills_job=True)


def _text(reading: Reading[str]) -> str:
    return reading.value if reading.is_known else "unknown"


def _module(observation: Observation) -> str:
    return observation.kernel_module.value.version if observation.kernel_module.is_known else "unknown"
