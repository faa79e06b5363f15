"""Reads RDMA adapters (InfiniBand, RoCE) from /sys/class/infiniband, which any user may."""

from __future__ import annotations

import errno
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.observation import is_pci_id, pci_id
from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import Adapter, Port
from ansible_collections.gpu.fleet.plugins.module_utils.observe import kernel_file
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

COUNTERS = ("link_downed", "link_error_recovery", "local_link_integrity_errors", "symbol_error")
_PEER_MEMORY = ("nvidia_peermem", "nv_peer_mem")
_INTERFACE_UP = 1  # IFF_UP
# How the kernel says that a port, such as a virtual function's, does not count this.
_NO_SUCH_COUNTER = (errno.ENOENT, errno.ENOTDIR, errno.EINVAL, errno.EOPNOTSUPP, errno.ENODATA)


def observe(root: Path) -> Reading[tuple[Adapter, ...]]:
    """Read the adapters that jobs of this system can use: not those made of software, nor functions lent to virtual machines."""
    folder = root / "sys/class/infiniband"
    try:
        found = [_adapter(entry) for entry in sorted(folder.iterdir()) if _is_hardware(entry)]
    except FileNotFoundError:
        return Reading.unsupported(f"{folder} does not exist: this node has no RDMA adapter")
    except OSError as error:
        return Reading.unreadable(f"{error.filename or folder}: {error.strerror}")
    return Reading.of(tuple(found)) if found else Reading.unsupported("this node has no RDMA adapter")


def peer_memory(root: Path) -> Reading[str]:
    """Read which module is loaded that lets an adapter reach a GPU's memory directly."""
    loaded = [name for name in _PEER_MEMORY if (root / "sys/module" / name).is_dir()]
    return Reading.of(loaded[0]) if loaded else Reading.unsupported(f"the module {_PEER_MEMORY[0]} is not loaded")


def _is_hardware(entry: Path) -> bool:
    return (entry / "device").exists() and not (entry / "device/physfn").exists()


def _adapter(entry: Path) -> Adapter:
    device = (entry / "device").resolve()
    ports = sorted((port for port in (entry / "ports").iterdir() if port.name.isdigit()), key=lambda port: int(port.name))
    return Adapter(
        name=entry.name,
        pci_address=pci_id(device.name) if is_pci_id(device.name) else "",
        board=kernel_file.text(entry / "board_id"),
        firmware=kernel_file.text(entry / "fw_ver"),
        ports=tuple(_port(entry, port) for port in ports),
    )


def _port(entry: Path, port: Path) -> Port:
    return Port(
        number=int(port.name),
        state=kernel_file.read(port / "state", _word),
        physical_state=kernel_file.read(port / "phys_state", _word),
        link_layer=kernel_file.text(port / "link_layer"),
        rate=kernel_file.text(port / "rate"),
        enabled=_enabled(entry / "device/net", int(port.name)),
        counters=_counters(port / "counters"),
    )


def _word(text: str) -> str:
    """Read `4: ACTIVE`."""
    return text.partition(":")[2].strip() or text


def _enabled(folder: Path, port: int) -> Reading[bool]:
    """Read whether an Ethernet interface of the port is switched on; one that an administrator switched off is not in use."""
    try:
        interfaces = sorted(folder.iterdir())
    except OSError:
        return Reading.unsupported("this port has no Ethernet interface")
    flags = []
    for interface in interfaces:
        place = kernel_file.read(interface / "dev_port", int)
        reading = kernel_file.read(interface / "flags", lambda text: int(text, 16))
        if reading.is_known and place.is_known and place.value == port - 1:
            flags.append(reading.value)
    if not flags:
        return Reading.unsupported("this port has no Ethernet interface")
    return Reading.of(any(flag & _INTERFACE_UP for flag in flags))


def _counters(folder: Path) -> Reading[dict[str, int]]:
    values: dict[str, int] = {}
    for name in COUNTERS:
        try:
            values[name] = int((folder / name).read_text(encoding="ascii"))
        except OSError as error:
            if error.errno not in _NO_SUCH_COUNTER:
                return Reading.unreadable(f"{folder / name}: {error.strerror}")
        except ValueError as error:
            return Reading.unreadable(f"{folder / name}: {error}")
    return Reading.of(values) if values else Reading.unsupported("this adapter counts no errors of its links")
