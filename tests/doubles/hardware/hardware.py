#!/usr/bin/env python3
"""The simulated hardware of a sandbox node: what the rest of the machine shows of the scenario's GPUs.

`apply` makes device nodes, PCI devices, the kernel log and /proc/driver/nvidia agree with the scenario, and hands the scenario to
the installed library. It may be run at any time; it changes what differs and removes nothing but what the scenario no longer has.
`describe` prints the scenario as the library understands it.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

LIBRARY = Path("/usr/lib/gpu-fleet-double/libnvidia-ml.so")
SCENARIO = Path("/etc/gpu-fleet-double/scenario.conf")
DIVERTED = Path("/var/lib/gpu-fleet-double/diverted")
STATE = Path("/run/gpu-fleet-double")
TRAILER_MARK = b"\n#!gpu-fleet-double-scenario\n"

NVIDIA = 0x10DE
SPEEDS = {1: "2.5", 2: "5.0", 3: "8.0", 4: "16.0", 5: "32.0", 6: "64.0"}

Files = dict[str, bytes]


# ---- the scenario -------------------------------------------------------------------------------------------------------------


def describe(library: Path) -> dict[str, Any]:
    """The scenario, read by the library itself: there is one reader of scenarios."""
    function = ctypes.CDLL(str(library)).gpuFleetDoubleDescribe
    function.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    function.restype = ctypes.c_long
    size = function(None, 0)
    if size < 0:
        give_up(f"found a scenario that the library refuses (its message is above), expected a valid one: edit {SCENARIO}")
    buffer = ctypes.create_string_buffer(size + 1)
    function(buffer, size + 1)
    scenario: dict[str, Any] = json.loads(buffer.value)
    return scenario


def give_up(message: str) -> NoReturn:
    sys.exit(f"gpu-fleet double: {message}")


def present(scenario: dict[str, Any]) -> list[dict[str, Any]]:
    return [gpu for gpu in scenario["gpus"] if not gpu["absent"]]


# ---- PCI devices: pure --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DeviceId:
    """Device and vendor, subsystem and its vendor (the latter in the low half, as in NVML), and the class."""

    ids: int
    subsystem: int
    device_class: int


@dataclass(frozen=True)
class Link:
    generation: int
    width: int
    max_generation: int
    max_width: int


def speed(generation: int) -> str:
    return f"{SPEEDS[generation]} GT/s PCIe" if generation in SPEEDS else "Unknown"


def pci_address(bus_id: str) -> str:
    """NVML's 00000000:1B:00.0 as the kernel writes it: 0000:1b:00.0."""
    domain, bus, place = bus_id.lower().split(":")
    return f"{int(domain, 16):04x}:{bus}:{place}"


def pci_files(device_id: DeviceId, link: Link, numa_node: int = 0, cpus: str = "") -> Files:
    """The files of one device under /sys/bus/pci/devices that tools read."""
    vendor, device, subsystem, device_class = device_id.ids & 0xFFFF, device_id.ids >> 16, device_id.subsystem, device_id.device_class
    texts = {
        "vendor": f"0x{vendor:04x}",
        "device": f"0x{device:04x}",
        "subsystem_vendor": f"0x{subsystem & 0xFFFF:04x}",
        "subsystem_device": f"0x{subsystem >> 16:04x}",
        "class": f"0x{device_class:06x}",
        "revision": "0xa1",
        "numa_node": str(numa_node),
        "local_cpulist": cpus,
        "enable": "1",
        "irq": "0",
        "current_link_speed": speed(link.generation),
        "current_link_width": str(link.width),
        "max_link_speed": speed(link.max_generation),
        "max_link_width": str(link.max_width),
        "modalias": f"pci:v{vendor:08X}d{device:08X}sv{subsystem & 0xFFFF:08X}sd{subsystem >> 16:08X}"
        f"bc{device_class >> 16:02X}sc{device_class >> 8 & 0xFF:02X}i{device_class & 0xFF:02X}",
        "resource": "\n".join(["0x0000000000000000 0x0000000000000000 0x0000000000000000"] * 7),
    }
    files = {name: f"{text}\n".encode() for name, text in texts.items()}
    files["config"] = pci_config(vendor, device, subsystem, device_class)
    return files


def pci_config(vendor: int, device: int, subsystem: int, device_class: int) -> bytes:
    """The header of the configuration space, for lspci."""
    config = bytearray(64)
    config[0:4] = vendor.to_bytes(2, "little") + device.to_bytes(2, "little")
    config[8] = 0xA1
    config[9:12] = device_class.to_bytes(3, "little")
    config[0x2C:0x30] = subsystem.to_bytes(4, "little")
    return bytes(config)


def pci_devices(scenario: dict[str, Any]) -> dict[str, Files]:
    """Every simulated device by its address: the GPUs that are there, and the NVSwitches."""
    devices = {}
    for gpu in present(scenario):
        device_id = DeviceId(gpu["pci.device_id"], gpu["pci.subsystem_id"], gpu["pci.class"])
        names = ("pcie.gen.current", "pcie.width.current", "pcie.gen.max", "pcie.width.max")
        link = Link(*(gpu[name] or 0 for name in names))
        devices[pci_address(gpu["pci.bus_id"])] = pci_files(device_id, link, gpu["numa_node"] or 0, gpu["cpus"] or "")
    ids = scenario["switch_device_id"] << 16 | NVIDIA
    for bus_id in scenario["switches"]:
        devices[pci_address(bus_id)] = pci_files(DeviceId(ids, ids, 0x068000), Link(4, 2, 4, 2))
    return devices


# ---- the kernel log: pure -----------------------------------------------------------------------------------------------------

Record = tuple[int, int, str]  # priority, microseconds since the machine started, message


def kernel_messages(scenario: dict[str, Any], driver: str) -> list[tuple[int, str]]:
    """What the kernel says of the GPUs when it starts, then the lines that the scenario plants, with their priorities."""
    planted = [(3, line) for line in scenario["kernel_log"]]
    if not driver:
        return planted
    loading = (6, f"NVRM: loading NVIDIA UNIX x86_64 Kernel Module  {driver}  (simulated)")
    gpus = [(6, f"nvidia {pci_address(gpu['pci.bus_id'])}: enabling device (simulated)") for gpu in present(scenario)]
    return [loading, *gpus, *planted]


def kernel_records(messages: list[tuple[int, str]], earlier: list[Record], now_us: int) -> list[Record]:
    """Records for the messages: one that was logged before keeps its time."""
    times: dict[str, list[int]] = {}
    for _, when, message in earlier:
        times.setdefault(message, []).append(when)
    records = []
    for priority, message in messages:
        known = times.get(message)
        records.append((priority, known.pop(0) if known else now_us, message))
    return records


def format_log(records: list[Record]) -> str:
    """As /dev/kmsg gives it: priority, sequence number, microseconds, flags; then the message."""
    return "".join(
        f"{priority},{number},{when},-;{message}\n" for number, (priority, when, message) in enumerate(sorted(records, key=lambda r: r[1]))
    )


def parse_log(text: str) -> list[Record]:
    records = []
    for line in text.splitlines():
        head, _, message = line.partition(";")
        priority, _, when, *_ = head.split(",")
        records.append((int(priority), int(when), message))
    return records


# ---- /proc/driver/nvidia: pure ------------------------------------------------------------------------------------------------


FIRST_OF_OPEN_MODULES_ONLY = 0x2900  # Blackwell's PCI device ids


def proc_files(scenario: dict[str, Any], driver: str) -> Files:
    needs_open = any(gpu["pci.device_id"] >> 16 >= FIRST_OF_OPEN_MODULES_ONLY for gpu in present(scenario))
    module = "Open Kernel Module for x86_64" if needs_open else "x86_64 Kernel Module"
    files = {
        "version": f"NVRM version: NVIDIA UNIX {module}  {driver}  (simulated)\nGCC version:  gcc version 12.2.0 (simulated)\n",
        "params": "NVreg_EnableGpuFirmware: 18\n",
    }
    for index, gpu in enumerate(present(scenario)):
        address = pci_address(gpu["pci.bus_id"])
        minor = gpu["minor_number"] if gpu["minor_number"] is not None else index
        files[f"gpus/{address}/information"] = (
            f"Model: \t\t {gpu['name']}\nIRQ:   \t\t 0\nGPU UUID: \t {gpu['uuid']}\nVideo BIOS: \t {gpu['vbios']}\n"
            f"Bus Type: \t PCIe\nBus Location: \t {address}\nDevice Minor: \t {minor}\n"
        )
    return {name: text.encode() for name, text in files.items()}


# ---- putting it there ---------------------------------------------------------------------------------------------------------


def write(path: Path, content: bytes) -> None:
    """In place, so that a bind mount of the file or its folder keeps showing it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)


def write_tree(folder: Path, files: Files) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.rglob("*"), reverse=True):
        name = str(path.relative_to(folder))
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif name not in files:
            path.unlink()
    for name, content in files.items():
        write(folder / name, content)


def is_mounted(target: Path) -> bool:
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return any(line.split()[4] == str(target) for line in mounts)


def bind(source: Path, target: Path, *, read_only: bool = False) -> None:
    if is_mounted(target):
        return
    subprocess.run(["mount", "--bind", str(source), str(target)], check=True)
    if read_only:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(target)], check=True)


def make_node(path: Path, major: int, minor: int) -> None:
    device = os.makedev(major, minor)
    if path.exists():
        found = path.stat()
        if stat.S_ISCHR(found.st_mode) and found.st_rdev == device:
            return
        path.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mknod(path, 0o666 | stat.S_IFCHR, device)
    path.chmod(0o666)


def device_nodes(scenario: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """The nodes that the driver makes: their names under /dev, with major and minor numbers."""
    nodes = {"nvidiactl": (195, 255), "nvidia-uvm": (510, 0), "nvidia-uvm-tools": (510, 1)}
    for index, gpu in enumerate(present(scenario)):
        minor = gpu["minor_number"] if gpu["minor_number"] is not None else index
        if gpu["device_node"]:
            nodes[f"nvidia{minor}"] = (195, minor)
    for index, _ in enumerate(scenario["switches"]):
        nodes[f"nvidia-nvswitch{index}"] = (511, index)
    if scenario["switches"]:
        nodes["nvidia-nvswitchctl"] = (511, 255)
    return nodes


def apply_device_nodes(nodes: dict[str, tuple[int, int]]) -> None:
    for name, (major, minor) in nodes.items():
        make_node(Path("/dev") / name, major, minor)
    for path in Path("/dev").glob("nvidia*"):
        if path.name not in nodes and path.is_char_device():
            path.unlink()


def apply_pci(scenario: dict[str, Any]) -> None:
    """A tree of our own over the kernel's, in which the machine's real devices (but real NVIDIA ones) stay as links."""
    devices, tree = Path("/sys/bus/pci/devices"), STATE / "pci"
    tree.mkdir(parents=True, exist_ok=True)
    if not is_mounted(devices):
        for real in devices.iterdir():
            link = tree / real.name
            if not link.is_symlink() and (real / "vendor").read_text().strip() != f"0x{NVIDIA:04x}":
                link.symlink_to(real.readlink())
    wanted = pci_devices(scenario)
    for old in tree.iterdir():
        if not old.is_symlink() and old.name not in wanted:
            shutil.rmtree(old)
    for address, files in wanted.items():
        if (tree / address).is_symlink():
            (tree / address).unlink()
        write_tree(tree / address, files)
    bind(tree, devices)


def started_us() -> int:
    """When this machine's first process started, in the kernel log's time."""
    fields = Path("/proc/1/stat").read_text().rpartition(")")[2].split()
    return int(fields[19]) * 1_000_000 // os.sysconf("SC_CLK_TCK")


def apply_kernel_log(scenario: dict[str, Any], driver: str) -> None:
    """A regular file, mounted read-only: systemd and journald write to any /dev/kmsg that lets them."""
    log, device = STATE / "kmsg", Path("/dev/kmsg")
    boot = [(5, started_us(), "Linux version (simulated kernel log)")]
    earlier = parse_log(log.read_text()) if log.exists() else []
    records = boot + kernel_records(kernel_messages(scenario, driver), earlier, time.monotonic_ns() // 1000)
    write(log, format_log(records).encode())
    if not is_mounted(device):
        if not device.exists():
            device.touch()
        bind(log, device, read_only=True)


def apply_proc(scenario: dict[str, Any], driver: str) -> None:
    tree = STATE / "proc-driver"
    files = proc_files(scenario, driver) if driver and scenario["kernel_module"] else {}
    write_tree(tree, {f"nvidia/{name}": content for name, content in files.items()})
    if files:
        bind(tree, Path("/proc/driver"))


def installed_libraries() -> list[Path]:
    """Where the double stands in for a packaged library (gpu-fleet-double-divert keeps the list)."""
    return [Path(line) for line in DIVERTED.read_text().splitlines()] if DIVERTED.exists() else []


def stamp(library: bytes, scenario: str, node: str) -> bytes:
    """The library with the scenario behind it, for containers that are given the library file alone."""
    return library + TRAILER_MARK + f"node = {node}\n{scenario}".encode()


def apply_stamp(libraries: list[Path]) -> None:
    content = stamp(LIBRARY.read_bytes(), SCENARIO.read_text(encoding="utf-8"), socket.gethostname())
    for path in libraries:
        if path.exists() and path.read_bytes() != content:
            fresh = path.with_name(f".{path.name}.new")
            fresh.write_bytes(content)
            fresh.chmod(0o644)
            fresh.replace(path)


def driver_version(scenario: dict[str, Any], libraries: list[Path]) -> str:
    """The version of the kernel's driver: the scenario's, else that of the library; none where no driver is installed."""
    if not libraries:
        return ""
    return str(scenario["driver_version"] or libraries[-1].name.partition(".so.")[2])


def apply() -> None:
    scenario, libraries = describe(LIBRARY), installed_libraries()
    driver = driver_version(scenario, libraries)
    STATE.mkdir(parents=True, exist_ok=True)
    apply_device_nodes(device_nodes(scenario) if driver else {})
    apply_pci(scenario)
    apply_kernel_log(scenario, driver)
    apply_proc(scenario, driver)
    apply_stamp(libraries)


def main() -> None:
    parser = argparse.ArgumentParser(prog="gpu-fleet-double-hardware", description=__doc__)
    parser.add_argument("command", choices=["apply", "describe"])
    if parser.parse_args().command == "describe":
        sys.stdout.write(json.dumps(describe(LIBRARY), indent=2) + "\n")
    else:
        apply()


if __name__ == "__main__":
    main()
