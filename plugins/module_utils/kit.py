"""What the controller brings to a node for one check: NVML's bindings, the tables and the probe, in one piece of text."""

from __future__ import annotations

import base64
import errno
import importlib.util
import io
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.tables import GPU_TABLE, NVLINK_TABLE, TABLES, XID_TABLE, Tables, load

_BINDINGS = "pynvml.py"
_PROBE = "probe"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same files make the same kit


@dataclass(frozen=True)
class Kit:
    """The unpacked kit on the node."""

    folder: Path

    @property
    def probe(self) -> Path:
        """The folder of the probe."""
        return self.folder / _PROBE

    def tables(self) -> Tables:
        """Load the tables that came along."""
        return load(*((self.folder / name).read_text(encoding="utf-8") for name in TABLES))

    def bindings(self) -> Any:
        """Import NVML's bindings from the kit, whatever else the node has installed under that name."""
        sys.path.insert(0, str(self.folder))
        import pynvml  # noqa: PLC0415 - it is there only now

        return pynvml


def bindings_file() -> Path:
    """Find NVML's bindings on the controller; raises FileNotFoundError."""
    found = importlib.util.find_spec("pynvml")
    if found is None or found.origin is None:
        raise FileNotFoundError(errno.ENOENT, "no such Python module beside Ansible, install the package nvidia-ml-py there", "pynvml")
    return Path(found.origin)


def pack(bindings: Path, gpu_table: Path, xid_table: Path, probe: Path) -> str:
    """Pack the files into text; of NVML's bindings only what is called."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _contents(bindings, gpu_table, xid_table, probe):
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), content, zipfile.ZIP_DEFLATED)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def unpack(text: str, folder: Path) -> Kit:
    """Unpack into a folder, readable by whoever runs the probe in its container."""
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(text))) as archive:
        archive.extractall(folder)
    kit = Kit(folder)
    kit.probe.chmod(0o755)
    for file in kit.probe.iterdir():
        file.chmod(0o644)
    return kit


def _contents(bindings: Path, gpu_table: Path, xid_table: Path, probe: Path) -> Iterator[tuple[str, bytes]]:
    from ansible_collections.gpu.fleet.plugins.module_utils.bindings import lean  # noqa: PLC0415 - a node, which unpacks, is spared it

    yield _BINDINGS, lean(bindings)
    yield GPU_TABLE, gpu_table.read_bytes()
    yield XID_TABLE, xid_table.read_bytes()
    yield NVLINK_TABLE, xid_table.with_name(NVLINK_TABLE).read_bytes()
    for file in sorted(probe.glob("*.py")):
        yield f"{_PROBE}/{file.name}", file.read_bytes()
