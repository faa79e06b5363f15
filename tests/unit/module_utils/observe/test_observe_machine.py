"""What is read of the machine: processors, memory, daemons and limits, the clock, file systems, what waits for a reboot."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import Clock, HugePages, Limits, PendingReboot
from ansible_collections.gpu.fleet.plugins.module_utils.observe import clock, daemons, machine, pending_reboot, storage
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

MEMINFO = """MemTotal:       2113482220 kB
MemFree:        2045021176 kB
HugePages_Total:    1024
HugePages_Free:      512
Hugepagesize:       2048 kB
Hugetlb:         2097152 kB
"""
LIMITS = """Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max locked memory         {memlock}              8388608              bytes
Max open files            1048576              1048576              files
"""
DEP = "kernel/drivers/platform/x86/nvidia-wmi-ec-backlight.ko.zst:\nkernel/drivers/video/fbdev/nvidiafb.ko:\n"


def put(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(("text", "count"), [("0-127", 128), ("0", 1), ("0-3,8-11,16", 9)])
def test_processors_are_counted(tmp_path: Path, text: str, count: int) -> None:
    put(tmp_path, "sys/devices/system/cpu/online", text + "\n")
    assert machine.cpu_count(tmp_path) == Reading.of(count)


def test_memory_and_huge_pages(tmp_path: Path) -> None:
    assert machine.memory_mib(tmp_path).is_unsupported
    put(tmp_path, "proc/meminfo", MEMINFO)
    assert machine.memory_mib(tmp_path) == Reading.of(2063947)
    assert machine.hugepages(tmp_path) == Reading.of(HugePages(1024, 512, 2048))
    put(tmp_path, "proc/meminfo", "rubbish\n")
    assert machine.memory_mib(tmp_path).is_unreadable
    assert machine.hugepages(tmp_path).is_unreadable


def test_a_virtual_machine_shows_its_hypervisor(tmp_path: Path) -> None:
    head = "processor\t: 0\nvendor_id\t: AuthenticAMD\n"
    put(tmp_path, "proc/cpuinfo", head + "flags\t\t: fpu vme hypervisor lahf_lm\n")
    assert (machine.virtual_machine(tmp_path), machine.processor(tmp_path)) == (Reading("value", content=True), Reading.of("AuthenticAMD"))
    put(tmp_path, "proc/cpuinfo", head + "flags\t\t: fpu vme lahf_lm\n")
    assert machine.virtual_machine(tmp_path) == Reading("value", content=False)
    put(tmp_path, "proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n")
    assert machine.virtual_machine(tmp_path).is_unsupported
    assert machine.processor(tmp_path).is_unsupported


def test_a_container_has_process_numbers_of_its_own(tmp_path: Path) -> None:
    assert machine.sees_all_processes(tmp_path).is_unreadable
    link = tmp_path / "proc/self/ns/pid"
    link.parent.mkdir(parents=True)
    for target, expected in (("pid:[4026531836]", True), ("pid:[4026532264]", False)):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        assert machine.sees_all_processes(tmp_path) == Reading.of(expected)


def test_of_the_command_line_only_what_bears_on_gpus_is_kept(tmp_path: Path) -> None:
    put(
        tmp_path,
        "proc/cmdline",
        "root=/dev/sda1 secret=hunter2 amd_iommu=on iommu=pt pci=noats hugepages=8 modprobe.blacklist=nouveau quiet\n",
    )
    assert machine.kernel_parameters(tmp_path).value == (
        "amd_iommu=on",
        "iommu=pt",
        "pci=noats",
        "hugepages=8",
        "modprobe.blacklist=nouveau",
    )


def test_daemons_are_known_by_the_kernels_name_for_them(tmp_path: Path) -> None:
    for process, name in ((1, "systemd"), (900, "chronyd"), (1200, "containerd"), (70, "containerd"), (80, "nv-fabricmanage"), (81, "sh")):
        put(tmp_path, f"proc/{process}/comm", name + "\n")
    put(tmp_path, "proc/self/comm", "python3\n")
    assert daemons.observe(tmp_path) == Reading.of({"chronyd": 900, "containerd": 70, "nv-fabricmanager": 80})


def test_processes_that_are_hidden_are_not_absent(tmp_path: Path) -> None:
    put(tmp_path, "proc/4711/comm", "python3\n")
    assert "hidepid" in daemons.observe(tmp_path).why
    assert daemons.observe(tmp_path / "none").is_unreadable


def test_limits_are_those_that_containers_inherit(tmp_path: Path) -> None:
    put(tmp_path, "proc/70/limits", LIMITS.format(memlock="unlimited"))
    put(tmp_path, "proc/self/limits", LIMITS.format(memlock="8388608  "))
    running = Reading.of({"dockerd": 71, "containerd": 70})
    assert daemons.limits(tmp_path, running) == Reading.of(Limits("containerd", -1, 1048576))
    assert daemons.limits(tmp_path, Reading.unreadable("hidden")) == Reading.of(Limits("this check", 8388608, 1048576))
    assert daemons.limits(tmp_path, Reading.of({"crio": 9})).is_unsupported
    assert daemons.parse_limits("Max open files 5", "x").is_unreadable


def test_the_clock_is_asked_of_the_kernel() -> None:
    def answer(status: int) -> Reading[Clock]:
        def ask(timex: clock.Timex) -> None:
            assert timex.modes == 0  # nothing is changed
            timex.status, timex.largest_error = status, 1234

        return clock.observe(ask)

    assert answer(0x2001) == Reading.of(Clock(synchronised=True, largest_error_us=1234))
    assert answer(0x2041) == Reading.of(Clock(synchronised=False, largest_error_us=1234))
    assert clock.observe().is_known

    def forbidden(_timex: clock.Timex) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    assert "not permitted" in clock.observe(forbidden).why


def test_file_systems(tmp_path: Path) -> None:
    assert storage.shared_memory(tmp_path).is_unsupported
    (tmp_path / "dev/shm").mkdir(parents=True)
    seen = storage.shared_memory(tmp_path).value
    assert (seen.folder, seen.size_mib >= seen.available_mib > 0, seen.read_only) == ("/dev/shm", True, False)
    stores = storage.image_stores(tmp_path, ("/var/lib/docker", "/dev/shm"))
    assert [store.folder for store in stores.value] == ["/dev/shm"]
    assert storage.image_stores(tmp_path, ()).is_unsupported


def test_a_reboot_that_packages_ask_for(tmp_path: Path) -> None:
    assert pending_reboot.observe(tmp_path, "6.8.0-45-generic") == Reading.of(
        PendingReboot(required=False, packages=(), newer_kernels_without_module=())
    )
    put(tmp_path, "run/reboot-required", "*** System restart required ***\n")
    assert pending_reboot.observe(tmp_path, "6.8.0-45-generic").value.required
    put(tmp_path, "run/reboot-required.pkgs", "linux-base\nlibc6\nlinux-base\n")
    assert pending_reboot.observe(tmp_path, "6.8.0-45-generic").value.packages == ("libc6", "linux-base")


@pytest.mark.parametrize(
    "module",
    [
        "updates/dkms/nvidia-uvm.ko.zst",
        "updates/dkms/nvidia-current-uvm.ko.xz",
        "updates/dkms/nvidia-current-open-uvm.ko",
        "extra/nvidia-uvm.ko",
    ],
)
def test_a_newer_kernel_without_the_module(tmp_path: Path, module: str) -> None:
    def kernel(name: str, *, has: bool, boots: bool = True) -> None:
        put(tmp_path, f"lib/modules/{name}/modules.dep", DEP + (f"{module}: {module.replace('-uvm', '')}\n" if has else ""))
        if boots:
            put(tmp_path, f"boot/vmlinuz-{name}", "")

    kernel("6.8.0-45-generic", has=True)
    kernel("6.8.0-31-generic", has=False)  # older: nothing boots it by itself
    kernel("6.8.0-60-generic", has=True)
    kernel("6.8.0-90-generic", has=False, boots=False)  # left over from a package that was removed
    assert pending_reboot.observe(tmp_path, "6.8.0-45-generic").value.newer_kernels_without_module == ()
    kernel("6.8.0-100-generic", has=False)
    assert pending_reboot.observe(tmp_path, "6.8.0-45-generic").value.newer_kernels_without_module == ("6.8.0-100-generic",)


def test_a_driver_that_comes_in_a_container_leaves_no_module_on_disk(tmp_path: Path) -> None:
    for name in ("6.8.0-45-generic", "6.8.0-60-generic"):
        put(tmp_path, f"lib/modules/{name}/modules.dep", DEP)
        put(tmp_path, f"boot/vmlinuz-{name}", "")
    assert pending_reboot.observe(tmp_path, "6.8.0-45-generic").value.newer_kernels_without_module == ()
