"""Why the driver's module is not in the kernel after `modprobe`, as modprobe and the kernel's log say it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal

# Each attempt to load the module begins with this line, so that what an earlier attempt said is told apart.
_BEGINS = "Nvlink Core is being initialized"
_OF_THE_DRIVER = re.compile(r"^(?:\[[^]]*\]\s*)?\s*NVRM: ?(.*)$")


@dataclass(frozen=True)
class _Reason:
    sign: str  # a regular expression: what modprobe or the kernel says then
    found: str
    next_step: str


_REASONS = (
    # These two stop the module before it can say a word: what the log has of it is older.
    _Reason(
        r"Key was rejected by service|Required key not available|Operation not permitted",
        "a kernel that loads signed modules only (Secure Boot), and a module without a signature that it trusts",
        "enrol the key that the module is signed with (`mokutil --import`), or switch Secure Boot off in the firmware",
    ),
    _Reason(
        r"Exec format error|Invalid module format|Unknown symbol",
        "a module that was built for another kernel than the running one",
        "build it anew for the running kernel: `dkms status` names the builds",
    ),
    _Reason(
        r"No NVIDIA GPU found",
        "no NVIDIA GPU in this machine",
        "see what `lspci -d 10de:` lists (nothing: the GPU has no power, is off in the firmware, or is not passed through to this virtual "
        "machine), and leave this role out where there is to be none",
    ),
    _Reason(
        r"not supported by open nvidia\.ko",
        "a GPU that the open kernel module cannot run",
        "set nvidia_driver_kernel_module_flavour to proprietary",
    ),
    _Reason(
        r"is not supported by the .*driver release|supported through the .* Legacy drivers",
        "a GPU that this driver does not know",
        "set nvidia_driver_version to a branch that knows it",
    ),
    _Reason(
        r"already bound to|probe routine was not called",
        "a GPU that another driver has taken",
        "see with `lspci -k -d 10de:` which one (nouveau, or vfio-pci for a virtual machine), keep it away from the GPU and reboot",
    ),
)
_UNKNOWN = _Reason("", "no module of the driver in the kernel", "read what `dmesg` says around it")


def explain(version: str, loaded: str, modprobe: str, kernel_log: str) -> Refusal:
    """Say why it is not the module of this version that is in the kernel, but that of `loaded`, or none."""
    expected = f"the module of driver {version} in the kernel"
    if loaded:
        return Refusal(f"version {loaded}", expected, "stop what holds the loaded module and run again, or reboot")
    kernel = last_attempt(kernel_log)
    answers = {"kernel": " ".join(kernel).rstrip("."), "modprobe": " ".join(modprobe.split())}
    reason = next((reason for reason in _REASONS if re.search(reason.sign, " ".join(answers.values()))), _UNKNOWN)
    quoted = "; ".join(f"{who}: {text}" for who, text in answers.items() if text)
    return Refusal(f"{reason.found} ({quoted or 'neither kernel nor modprobe say why'})", expected, reason.next_step)


def last_attempt(kernel_log: str) -> list[str]:
    """Return what the driver said when it was last loaded, without its prefix."""
    lines = kernel_log.rpartition(_BEGINS)[2].splitlines()
    return [found[1].strip() for found in map(_OF_THE_DRIVER.match, lines) if found]
