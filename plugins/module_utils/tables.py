"""The tables that checks rest on: what GPUs can do, and what the driver's error codes and NVLink's sub-codes mean. Each row has a source.

A table that was edited by hand into something else is refused, with file, row and column.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.finding import ACTIONS
from ansible_collections.gpu.fleet.plugins.module_utils.nvlink_rule import Bits, NvlinkRule
from ansible_collections.gpu.fleet.plugins.module_utils.observation import XidEvent

GPU_TABLE, XID_TABLE, NVLINK_TABLE = "gpu_reference.csv", "xid_catalog.csv", "xid_nvlink5.csv"
TABLES = (GPU_TABLE, XID_TABLE, NVLINK_TABLE)  # in the order in which `load` takes them

_MAKERS = re.compile(r"\b(nvidia|tesla|geforce)\b")


class TableError(ValueError):
    """A table that cannot be used, with the place."""


@dataclass(frozen=True)
class GpuReference:
    """What one GPU model can do. None where no figure is known: there is then no gate."""

    gpu: str
    pci_device_id: str
    sm: str
    memory_gib: float
    memory_peak_gb_s: float
    matmul_dtype: str
    matmul_peak_tflops: float
    matmul_measured_tflops: float | None
    nvlink_links: int
    nvlink_bridge: bool  # the links work only where a bridge is fitted: none at all is right too
    nvlink_peak_gb_s_per_direction: float
    pcie_gen: int
    pcie_width: int
    allreduce_busbw_gb_s: float | None
    allreduce_gpus: int | None  # the number of GPUs that the figure holds for
    allreduce_conditions: str
    source: str

    @property
    def cited(self) -> str:
        """Name the row and where its figures come from."""
        return f"{GPU_TABLE}, {self.gpu}: {self.source}"


@dataclass(frozen=True)
class XidMeaning:
    """What one of the driver's error codes means, and what this project does about it."""

    xid: int
    mnemonic: str
    blames: str  # application, hardware, software, or nothing (information only)
    action: str
    kills_job: bool
    nvidia_immediate_action: str
    nvidia_investigatory_action: str
    source: str


@dataclass(frozen=True)
class Tables:
    """All tables, looked up by what a node says of itself."""

    gpus: tuple[GpuReference, ...]
    xids: Mapping[int, XidMeaning]
    nvlink: tuple[NvlinkRule, ...]

    def gpu(self, pci_device_id: str | None, name: str | None) -> GpuReference | None:
        """Find a GPU by its PCI device id, else by its name. An unknown one has no row, and is never judged by another's."""
        for row in self.gpus:
            if pci_device_id and row.pci_device_id == pci_device_id.lower():
                return row
        return self.gpu_named(name) if name else None

    def gpu_named(self, name: str) -> GpuReference | None:
        """Find a GPU by its name."""
        return next((row for row in self.gpus if same_model(row.gpu, name)), None)

    def nvlink_rule(self, event: XidEvent) -> NvlinkRule | None:
        """Find what an NVLink 5 error means by its sub-code."""
        if not event.nvlink.is_known:
            return None
        return next((rule for rule in self.nvlink if rule.means(event.code, event.severity, event.nvlink.value)), None)


def same_model(one: str, other: str) -> bool:
    """Compare model names, whoever is named as the maker: `H100 80GB HBM3` is `NVIDIA H100 80GB HBM3`."""
    return _plain_model(one) == _plain_model(other)


def _plain_model(name: str) -> str:
    return " ".join(_MAKERS.sub(" ", name.lower()).split())


def load(gpu_table: str, xid_table: str, nvlink_table: str, *, gpu_file: str = GPU_TABLE) -> Tables:
    """Load all tables from their text; the file's name is for messages."""
    gpus = _rows(gpu_table, gpu_file, _GPU_COLUMNS, GpuReference, ("gpu",))
    xids = _rows(xid_table, XID_TABLE, _XID_COLUMNS, XidMeaning, ("xid",))
    nvlink = _rows(nvlink_table, NVLINK_TABLE, _NVLINK_COLUMNS, NvlinkRule, _NVLINK_KEY)
    return Tables(tuple(gpus), {row.xid: row for row in xids}, tuple(nvlink))


def _rows(text: str, file: str, columns: Mapping[str, Callable[[str], Any]], kind: Any, key: tuple[str, ...]) -> Iterator[Any]:
    """Read the rows; `key` names the columns that no two rows may have alike."""
    reader = csv.DictReader(io.StringIO(text))
    missing = [column for column in columns if column not in (reader.fieldnames or [])]
    if missing:
        raise TableError(
            f"{file}: found the columns {', '.join(reader.fieldnames or []) or 'none'}, expected also {', '.join(missing)}: "
            "add them, an empty cell is how a figure is left out"
        )
    seen: dict[Any, int] = {}
    for number, row in enumerate(reader, start=2):
        values = {}
        for column, convert in columns.items():
            try:
                values[column] = convert((row[column] or "").strip())
            except ValueError as error:
                raise TableError(f"{file}, row {number} ({row.get(key[0]) or 'unnamed'}), column {column}: {error}") from None
        identity = tuple(values[column] for column in key)
        if identity in seen:
            named = " ".join(row[column] for column in key)
            raise TableError(f"{file}, row {number}, column {', '.join(key)}: {named} stands in row {seen[identity]} already")
        seen[identity] = number
        yield kind(**values)
    if not seen:
        raise TableError(f"{file}: found no row, expected one for each {key[0]}")


def _text(cell: str) -> str:
    if not cell:
        raise ValueError("found nothing, expected text")
    return cell


def _figure(cell: str) -> float:
    try:
        figure = float(cell)
    except ValueError:
        raise ValueError(f"found {cell!r}, expected a number") from None
    if not 0 <= figure < float("inf"):
        raise ValueError(f"found {cell!r}, expected a number that is not negative")
    return figure


def _whole(cell: str) -> int:
    figure = _figure(cell)
    if figure != int(figure):
        raise ValueError(f"found {cell!r}, expected a whole number")
    return int(figure)


def _optional(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda cell: convert(cell) if cell else None


def _yes(cell: str) -> bool:
    if cell not in ("yes", "no"):
        raise ValueError(f"found {cell!r}, expected yes or no")
    return cell == "yes"


def _one_of(*words: str) -> Callable[[str], str]:
    def convert(cell: str) -> str:
        if cell not in words:
            raise ValueError(f"found {cell!r}, expected one of {', '.join(words)}")
        return cell

    return convert


def _names(cell: str) -> tuple[str, ...]:
    return tuple(_text(cell).split("/"))


def _word(cell: str) -> int:
    if not re.fullmatch(r"0x[0-9a-fA-F]{8}", cell):
        raise ValueError(f"found {cell!r}, expected 0x and eight hexadecimal digits")
    return int(cell, 16)


def _device_id(cell: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{4}", cell):
        raise ValueError(f"found {cell!r}, expected four hexadecimal digits")
    return cell.lower()


_GPU_COLUMNS: dict[str, Callable[[str], Any]] = {
    "gpu": _text,
    "pci_device_id": _device_id,
    "sm": _text,
    "memory_gib": _figure,
    "memory_peak_gb_s": _figure,
    "matmul_dtype": _one_of("bf16", "fp16"),
    "matmul_peak_tflops": _figure,
    "matmul_measured_tflops": _optional(_figure),
    "nvlink_links": _whole,
    "nvlink_bridge": _yes,
    "nvlink_peak_gb_s_per_direction": _figure,
    "pcie_gen": _whole,
    "pcie_width": _whole,
    "allreduce_busbw_gb_s": _optional(_figure),
    "allreduce_gpus": _optional(_whole),
    "allreduce_conditions": str,
    "source": _text,
}
_JUDGEMENT_COLUMNS: dict[str, Callable[[str], Any]] = {
    "blames": _one_of("application", "hardware", "software", "nothing"),
    "action": _one_of(*ACTIONS),
    "kills_job": _yes,
    "nvidia_immediate_action": str,
    "nvidia_investigatory_action": str,
    "source": _text,
}
_XID_COLUMNS = {"xid": _whole, "mnemonic": _text, **_JUDGEMENT_COLUMNS}
_NVLINK_COLUMNS = {
    "xid": _whole,
    "unit": _names,
    "info_before_575": Bits.read,
    "info_from_575": Bits.read,
    "error_status": _optional(_word),
    "severity": _one_of("fatal", "link-fatal", "non-fatal"),
    **_JUDGEMENT_COLUMNS,
}
_NVLINK_KEY = ("xid", "unit", "info_before_575", "info_from_575", "error_status")
