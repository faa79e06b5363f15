"""Reads how GPUs and RDMA adapters hang together: the bridges above them, their access control (ACS), and the IOMMU."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.observation import pci_id
from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import PciBridge, PciEndpoint, PciTopology
from ansible_collections.gpu.fleet.plugins.module_utils.observe import kernel_file
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

_DEVICE = re.compile(r"[0-9a-f]{4,8}(?::[0-9a-f]{2}){2}\.[0-7]")  # not `pci0000:17`, the folder of a host bridge
# PCI Express Base Specification: where the capabilities are, and the two that matter.
_STATUS, _HAS_CAPABILITIES, _FIRST_CAPABILITY, _EXPRESS = 0x06, 0x10, 0x34, 0x10
_EXTENDED, _ACS, _ACS_CONTROL = 0x100, 0x000D, 6
_ALL_THAT_USERS_SEE = 64
_LONGEST_CHAIN = 96


def observe(root: Path, gpus: Iterable[str], adapters: Iterable[str]) -> Reading[PciTopology]:
    """Read the place of these devices, by their addresses."""
    folder = root / "sys/bus/pci/devices"
    present = (
        {pci_id(entry.name): entry.resolve() for entry in folder.iterdir() if _DEVICE.fullmatch(entry.name)} if folder.is_dir() else {}
    )
    wanted = [*((address, "gpu") for address in gpus), *((address, "adapter") for address in adapters)]
    endpoints = [_endpoint(present[address], address, kind) for address, kind in wanted if address in present]
    bridges = {pci_id(place.name): place for address, _kind in wanted if address in present for place in _above(present[address])}
    return Reading.of(PciTopology(tuple(endpoints), tuple(_bridge(address, place) for address, place in sorted(bridges.items()))))


def _endpoint(place: Path, address: str, kind: str) -> PciEndpoint:
    driver = place / "driver"
    return PciEndpoint(
        address=address,
        kind=kind,
        bridges=tuple(pci_id(bridge.name) for bridge in _above(place)),
        kernel_driver=Reading.of(driver.resolve().name) if driver.is_symlink() else Reading.unsupported("no kernel driver has it"),
        iommu=kernel_file.text(place / "iommu_group/type"),
    )


def _above(place: Path) -> list[Path]:
    """List the bridges between a device and the processor: folders of /sys contain what is below a bridge."""
    return [parent for parent in reversed(place.parents) if _DEVICE.fullmatch(parent.name)]


def _bridge(address: str, place: Path) -> PciBridge:
    try:
        config = (place / "config").read_bytes()
    except FileNotFoundError:
        absent: Reading[int] = Reading.unsupported("the kernel shows no configuration of it")
        return PciBridge(address, absent, absent)
    except OSError as error:
        unread: Reading[int] = Reading.unreadable(f"{place / 'config'}: {error.strerror}")
        return PciBridge(address, unread, unread)
    return PciBridge(address, port_type(config), access_control(config))


def port_type(config: bytes) -> Reading[int]:
    """Read the kind of a PCI Express port from its configuration space."""
    if len(config) <= _ALL_THAT_USERS_SEE:
        return Reading.unreadable("only root may read a bridge's configuration beyond its first 64 bytes")
    where = config[_FIRST_CAPABILITY] & ~3 if config[_STATUS] & _HAS_CAPABILITIES else 0
    for _step in range(_LONGEST_CHAIN):
        if not _ALL_THAT_USERS_SEE <= where < len(config) - 3:
            break
        if config[where] == _EXPRESS:
            return Reading.of(config[where + 2] >> 4 & 0xF)
        where = config[where + 1] & ~3
    return Reading.unsupported("this bridge is not PCI Express")


def access_control(config: bytes) -> Reading[int]:
    """Read the access control register: bits 2 and 3 send requests and completions between devices up to the processor."""
    if len(config) <= _ALL_THAT_USERS_SEE:
        return Reading.unreadable("only root may read a bridge's configuration beyond its first 64 bytes")
    where = _EXTENDED
    for _step in range(_LONGEST_CHAIN):
        if not _EXTENDED <= where <= len(config) - 8:
            break
        header = int.from_bytes(config[where : where + 4], "little")
        if header & 0xFFFF == _ACS:
            return Reading.of(int.from_bytes(config[where + _ACS_CONTROL : where + _ACS_CONTROL + 2], "little"))
        where = header >> 20
    return Reading.unsupported("this bridge has no access control")
