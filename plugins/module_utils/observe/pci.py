"""Reads NVIDIA's devices from the PCI bus, which knows them whether or not a driver does."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.observation import PciBus, PciDevice, pci_id
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

_NVIDIA = 0x10DE
_GPU_CLASSES = (0x0302, 0x0300)  # 3D controller; VGA controller
_NVSWITCH_CLASS = 0x0680  # other bridge


def observe(root: Path = Path("/")) -> Reading[PciBus]:
    """Read the bus. One device that cannot be read makes the whole bus unreadable: a count would be a guess."""
    folder = root / "sys/bus/pci/devices"
    gpus, switches = [], []
    try:
        for entry in sorted(folder.iterdir()):
            try:
                if _number(entry / "vendor") != _NVIDIA:
                    continue
                kind = _number(entry / "class") >> 8
                if kind in _GPU_CLASSES:
                    gpus.append(_device(entry))
                elif kind == _NVSWITCH_CLASS:
                    switches.append(_device(entry))
            except FileNotFoundError:
                if entry.exists():
                    raise
                # else it was taken off the bus while we looked
    except OSError as error:
        return Reading.unreadable(f"{error.filename or folder}: {error.strerror}")
    except ValueError as error:
        return Reading.unreadable(f"{folder}: {error}")
    return Reading.of(PciBus(tuple(gpus), tuple(switches)))


def _device(entry: Path) -> PciDevice:
    return PciDevice(
        address=pci_id(entry.name),
        device_id=f"{_number(entry / 'device'):04x}",
        link_width=_width(entry / "current_link_width"),
        link_width_max=_width(entry / "max_link_width"),
    )


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii").strip(), 16)


def _width(path: Path) -> Reading[int]:
    try:
        width = int(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        return Reading.unsupported("the kernel shows no link width for this device")
    except (OSError, ValueError) as error:
        return Reading.unreadable(f"{path}: {error}")
    # 0 and 255 are how the kernel says that it does not know.
    return Reading.of(width) if 0 < width < 255 else Reading.unsupported(f"the kernel gives {width}, which is no width")  # noqa: PLR2004
