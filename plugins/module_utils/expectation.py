"""What a node should be, as its inventory says. A mistake in it is found before anything is measured."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

SOURCE = "inventory"

_VERSION = re.compile(r"\d+(\.\d+)*")
_DRIVER_VERSION = re.compile(r"\d{3}(\.\d+){0,2}")
_PCIE_WIDTHS = (1, 2, 4, 8, 12, 16, 32)
_LOWEST_FRACTION = 0.3  # a gate below that fails nothing
_HIGHEST_OF_A_PEAK = 0.95  # nothing that is measured reaches more of a physical limit
_STRAGGLER_PERCENT = (1, 50)
_TEMPERATURES = (30, 120)
_GIB = (0.01, 1e6)
_GB_S = (1, 1e4)
_PCIE_GENERATIONS = (1, 8)
_WATTS = (10, 10_000)
_COMPUTE_MODES = ("default", "exclusive_process")


class ExpectationError(ValueError):
    """An expectation that cannot be meant, with every mistake in it."""


@dataclass(frozen=True)
class Expectation:
    """Every key is optional; None is no opinion."""

    gpu_model: str | None = None
    gpu_count: int | None = None
    driver_version: str | None = None
    persistence_mode: bool | None = None
    kernel_module: bool | None = None
    nvlink_links: int | None = None
    pcie_width: int | None = None
    temperature_max: float | None = None
    gate_fraction: float = 0.9
    probe_device: str = "cuda"
    torch_version: str | None = None
    pcie_generation: int | None = None
    power_limit: float | None = None
    mig_mode: bool | None = None
    compute_mode: str | None = None
    idle: bool | None = None
    cuda_version: str | None = None
    cpu_count: int | None = None
    memory_gib: float | None = None
    hugepages: int | None = None
    memlock_unlimited: bool | None = None
    nofile: int | None = None
    shm_gib: float | None = None
    image_store_free_gib: float | None = None
    container_runtime: bool | None = None
    infiniband_ports: int | None = None
    infiniband_rate_gb_s: float | None = None
    gpudirect_rdma: bool | None = None
    peer_to_peer: bool | None = None
    straggler_percent: float = 5.0
    peak_fraction: float = 0.7


KEYS = tuple(field.name for field in fields(Expectation))


def parse(given: Mapping[str, Any]) -> Expectation:
    """Read an expectation; a key whose value is None counts as not given. Raises ExpectationError with all mistakes."""
    given = {key: value for key, value in given.items() if value is not None}
    mistakes = [_unknown(key) for key in given if key not in KEYS]
    values: dict[str, Any] = {}
    for key in KEYS:
        if key in given:
            try:
                values[key] = _READERS[key](given[key])
            except ValueError as error:
                mistakes.append(f"{key}: {error}")
    if not mistakes:
        mistakes = _contradictions(values)
    if mistakes:
        raise ExpectationError("expectation: " + "; ".join(mistakes))
    return Expectation(**values)


def check_against(expectation: Expectation, tables: Tables) -> None:
    """Refuse what no GPU of the expected model can be, such as a T4 with NVLinks."""
    row = tables.gpu_named(expectation.gpu_model) if expectation.gpu_model else None
    if row is None:
        return
    mistakes = [
        f"{key}: found {wanted}, expected at most {most}, which is what a {row.gpu} has ({row.cited})"
        for key, wanted, most in (
            ("nvlink_links", expectation.nvlink_links, row.nvlink_links),
            ("pcie_width", expectation.pcie_width, row.pcie_width),
            ("pcie_generation", expectation.pcie_generation, row.pcie_gen),
        )
        if wanted is not None and wanted > most
    ]
    if mistakes:
        raise ExpectationError("expectation: " + "; ".join(mistakes))


def _unknown(key: str) -> str:
    nearest = difflib.get_close_matches(str(key), KEYS, n=1, cutoff=0.5)
    return f"{key}: there is no such key" + (f", is {nearest[0]} meant?" if nearest else f"; there are {', '.join(KEYS)}")


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    if values.get("gpu_count") != 0:
        return []
    return [
        f"gpu_count is 0, and yet {key} is {values[key]!r}: leave one of them out"
        for key in ("gpu_model", "nvlink_links", "pcie_width")
        if values.get(key)
    ]


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"found {value!r}, expected text")
    return str(value).strip()


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"found {value!r}, expected true or false")  # noqa: TRY004 - every mistake is a ValueError here
    return bool(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"found {value!r}, expected a whole number that is not negative")
    return int(value)


def _number(low: float, high: float) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise ValueError(f"found {value!r}, expected a number from {low} to {high}")
        return float(value)

    return read


def _version(pattern: re.Pattern[str], example: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
        if not pattern.fullmatch(text.strip()):
            raise ValueError(f"found {value!r}, expected a version such as {example} (in quotes, or YAML makes a number of it)")
        return text.strip()

    return read


def _width(value: Any) -> int:
    if value not in _PCIE_WIDTHS or isinstance(value, bool):
        raise ValueError(f"found {value!r}, expected a number of lanes: one of {', '.join(map(str, _PCIE_WIDTHS))}")
    return int(value)


def _generation(value: Any) -> int:
    return int(_number(*_PCIE_GENERATIONS)(_whole(value)))


def _one_of(*words: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in words:
            raise ValueError(f"found {value!r}, expected {' or '.join(words)}")
        return str(value)

    return read


_READERS: dict[str, Callable[[Any], Any]] = {
    "gpu_model": _text,
    "gpu_count": _whole,
    "driver_version": _version(_DRIVER_VERSION, '"535" or "535.261.03"'),
    "persistence_mode": _flag,
    "kernel_module": _flag,
    "nvlink_links": _whole,
    "pcie_width": _width,
    "pcie_generation": _generation,
    "power_limit": _number(*_WATTS),
    "mig_mode": _flag,
    "compute_mode": _one_of(*_COMPUTE_MODES),
    "idle": _flag,
    "cuda_version": _version(_VERSION, '"12.6"'),
    "temperature_max": _number(*_TEMPERATURES),
    "gate_fraction": _number(_LOWEST_FRACTION, 1.0),
    "probe_device": _one_of("cuda", "cpu"),
    "torch_version": _version(_VERSION, '"2.7.1"'),
    "cpu_count": _whole,
    "memory_gib": _number(*_GIB),
    "hugepages": _whole,
    "memlock_unlimited": _flag,
    "nofile": _whole,
    "shm_gib": _number(*_GIB),
    "image_store_free_gib": _number(*_GIB),
    "container_runtime": _flag,
    "infiniband_ports": _whole,
    "infiniband_rate_gb_s": _number(*_GB_S),
    "gpudirect_rdma": _flag,
    "peer_to_peer": _flag,
    "straggler_percent": _number(*_STRAGGLER_PERCENT),
    "peak_fraction": _number(_LOWEST_FRACTION, _HIGHEST_OF_A_PEAK),
}
