"""Why the module is not in the kernel: what modprobe and the kernel say is recognised, quoted and turned into a next step."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.filter.driver_not_loaded import FilterModule
from ansible_collections.gpu.fleet.plugins.module_utils.driver.not_loaded import explain, last_attempt

# Of Debian's driver 535.309.01 on a virtual machine without a GPU; the log holds two attempts.
NO_GPU = (Path(__file__).parent / "captured" / "dmesg-nvidia-535.309.01-no-gpu.txt").read_text(encoding="utf-8")
NO_DEVICE = "modprobe: ERROR: could not insert 'nvidia_current': No such device"
NO_KEY = "modprobe: ERROR: could not insert 'nvidia_current': Key was rejected by service"
TAKEN = """\
[   16.7] nvidia-nvlink: Nvlink Core is being initialized, major device number 508
[   16.7] NVRM: GPU 0000:01:00.0 is already bound to vfio-pci.
[   16.7] NVRM: The NVIDIA probe routine was not called for 1 device(s).
[   16.7] NVRM: This can occur when another driver was loaded and
          NVRM: obtained ownership of the NVIDIA device(s).
[   16.7] NVRM: No NVIDIA devices probed.
[   16.7] nvidia-nvlink: Unregistered Nvlink Core, major device number 508
"""
UNKNOWN_GPU = """\
NVRM: The NVIDIA GPU 0000:01:00.0 (PCI ID: 10de:1292)
NVRM: installed in this system is not supported by the
NVRM: NVIDIA 550.54.14 driver release.
"""
OPEN_ONLY = """\
NVRM: The NVIDIA GPU 0000:01:00.0 (PCI ID: 10de:1db6)
NVRM: installed in this system is not supported by open
NVRM: nvidia.ko because it does not include the required GPU
NVRM: System Processor (GSP).
"""


@pytest.mark.parametrize(
    ("modprobe", "kernel_log", "found", "next_step"),
    [
        (NO_DEVICE, NO_GPU, "no NVIDIA GPU in this machine (kernel: No NVIDIA GPU found; modprobe: modprobe: ERROR", "lspci -d 10de:"),
        (NO_DEVICE, TAKEN, "a GPU that another driver has taken (kernel: GPU 0000:01:00.0 is already bound to vfio-pci.", "lspci -k"),
        (NO_DEVICE, UNKNOWN_GPU, "a GPU that this driver does not know", "nvidia_driver_version"),
        (NO_DEVICE, OPEN_ONLY, "a GPU that the open kernel module cannot run", "nvidia_driver_kernel_module_flavour to proprietary"),
        (NO_KEY, "", "a kernel that loads signed modules only", "mokutil"),
        ("modprobe: ERROR: could not insert 'nvidia': Exec format error", "", "a module that was built for another kernel", "dkms status"),
        ("modprobe: ERROR: could not insert 'nvidia': Input/output error", "", "no module of the driver in the kernel (modprobe:", "dmesg"),
        ("", "", "no module of the driver in the kernel (neither kernel nor modprobe say why)", "dmesg"),
    ],
)
def test_the_reason_is_told(modprobe: str, kernel_log: str, found: str, next_step: str) -> None:
    said = str(explain("535.309.01", "", modprobe, kernel_log))
    assert said.startswith(f"Found {found}")
    assert ". Expected the module of driver 535.309.01 in the kernel. Next step: " in said
    assert next_step in said.partition("Next step: ")[2]


def test_what_an_earlier_attempt_met_is_not_the_reason_now() -> None:
    assert last_attempt(TAKEN + NO_GPU) == ["No NVIDIA GPU found."]


def test_a_module_that_never_ran_is_not_judged_by_what_an_older_one_said() -> None:
    assert "signed modules only" in str(explain("535.309.01", "", NO_KEY, NO_GPU))


def test_another_version_is_named() -> None:
    assert str(explain("535.309.01", "535.261.03", "", "")).startswith("Found version 535.261.03. Expected the module of driver 535.309.01")


def test_the_filter_is_the_same() -> None:
    said = FilterModule().filters()["driver_not_loaded"]("535.309.01", "", NO_DEVICE, NO_GPU)
    assert said == str(explain("535.309.01", "", NO_DEVICE, NO_GPU))
