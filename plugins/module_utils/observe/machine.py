"""Reads what the machine is: its processors and memory, whether it is virtual, and whether we see the whole of it."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import HugePages
from ansible_collections.gpu.fleet.plugins.module_utils.observe import kernel_file
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

_INITIAL_PID_NAMESPACE = "pid:[4026531836]"  # a constant of the kernel (PROC_PID_INIT_INO)
_BEARS_ON_GPUS = re.compile(
    r"(?:\w*iommu\S*|pci|pcie_\w+|pcie_aspm|\w*hugepage\w*|nouveau|nvidia\S*|\S*blacklist|nomodeset|nosmt|isolcpus|nohz_full|rcu_nocbs"
    r"|mitigations|numa_balancing|numa|mem|maxcpus|nr_cpus|intel_idle\S*|processor\S*|cgroup\S*|systemd\.unified_cgroup_hierarchy|swiotlb)(?:=|$)"
)
_FIRST_PROCESSOR = 1 << 14  # characters of /proc/cpuinfo: it repeats for every processor, and is slow to read


def sees_all_processes(root: Path) -> Reading[bool]:
    """Tell whether we are outside of any container, or in one that shares the machine's process numbers."""
    path = root / "proc/self/ns/pid"
    try:
        return Reading.of(path.readlink() == Path(_INITIAL_PID_NAMESPACE)) if path.is_symlink() else Reading.unreadable(f"{path}: no link")
    except OSError as error:
        return Reading.unreadable(f"{path}: {error.strerror}")


def virtual_machine(root: Path) -> Reading[bool]:
    """Tell whether a hypervisor shows itself to the processor (x86 only)."""
    reading = _cpuinfo(root, "flags")
    return Reading.of("hypervisor" in reading.value.split()) if reading.is_known else Reading(reading.state, reading.content)


def processor(root: Path) -> Reading[str]:
    """Read the maker of the processor, such as GenuineIntel."""
    return _cpuinfo(root, "vendor_id")


def uptime_s(root: Path) -> Reading[float]:
    """Read the seconds since the machine's start."""
    return kernel_file.read(root / "proc/uptime", lambda text: float(text.split()[0]))


def kernel_parameters(root: Path) -> Reading[tuple[str, ...]]:
    """Read those parameters that bear on GPUs, memory and processors; not the whole command line, which may hold secrets."""
    return kernel_file.read(root / "proc/cmdline", lambda text: tuple(word for word in text.split() if _BEARS_ON_GPUS.match(word)))


def cpu_count(root: Path) -> Reading[int]:
    """Count the logical processors that are online in the machine, whatever this process may use of them."""
    return kernel_file.read(root / "sys/devices/system/cpu/online", count_in_list)


def count_in_list(text: str) -> int:
    """Count what a list such as `0-63,128-191` names."""
    ranges = [part.split("-") for part in text.split(",")]
    return sum(int(part[-1]) - int(part[0]) + 1 for part in ranges)


def memory_mib(root: Path) -> Reading[int]:
    """Read the memory that the kernel has to give: a little less than what is installed."""
    return kernel_file.read(root / "proc/meminfo", lambda text: meminfo(text)["MemTotal"] >> 10)


def hugepages(root: Path) -> Reading[HugePages]:
    """Read how many huge pages of the default size are set aside."""
    return kernel_file.read(root / "proc/meminfo", parse_hugepages)


def parse_hugepages(text: str) -> HugePages:
    """Read them from /proc/meminfo."""
    values = meminfo(text)
    return HugePages(values["HugePages_Total"], values["HugePages_Free"], values["Hugepagesize"])


def meminfo(text: str) -> dict[str, int]:
    """Read the numbers of /proc/meminfo, most of them in KiB."""
    return {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+)", text, re.MULTILINE)}


def _cpuinfo(root: Path, key: str) -> Reading[str]:
    path = root / "proc/cpuinfo"
    reading = kernel_file.read(path, str, at_most=_FIRST_PROCESSOR)
    if not reading.is_known:
        return reading
    found = re.search(rf"^{key}\s*:\s*(.*)$", reading.value, re.MULTILINE)
    return Reading.of(found[1]) if found else Reading.unsupported(f"{path} names no {key} on this architecture")
