"""What a node is, in two short columns: its GPUs and its driver, read from the observation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .finding import Finding


@dataclass(frozen=True, slots=True)
class Hardware:
    """The columns; "" where it was not read."""

    gpus: str
    driver: str


def hardware(observation: Any, findings: Iterable[Finding]) -> Hardware:
    """Return what the observation says, and where it says nothing what the checks found."""
    seen = observation if isinstance(observation, Mapping) else {}
    found = {finding.check: finding.observed for finding in findings if finding.subject.kind == "node"}
    driver = reading(seen.get("driver_version"))
    if driver is None and isinstance(seen.get("driver"), Mapping):
        driver = reading(seen["driver"].get("version"))
    if driver is None:
        driver = found.get("driver_version")
    return Hardware(_gpus(seen, found), driver if isinstance(driver, str) else "")


def reading(data: Any) -> Any:
    """Return a reading's value; None where it has none."""
    if isinstance(data, Mapping):
        return data.get("value")
    return data


def _gpus(seen: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    gpus = reading(seen.get("gpus"))
    if isinstance(gpus, list):
        names = Counter(_name(gpu) for gpu in gpus)
        return ", ".join(f"{amount} × {name}" for name, amount in names.most_common()) or "no GPU"
    amount, model = found.get("gpu_count"), found.get("gpu_model")
    if isinstance(amount, int) and isinstance(model, str):
        return f"{amount} × {_short(model)}"
    return ""


def _name(gpu: Any) -> str:
    name = reading(gpu.get("name") or gpu.get("model")) if isinstance(gpu, Mapping) else None
    return _short(name) if isinstance(name, str) and name else "unknown GPU"


def _short(name: str) -> str:
    return name.removeprefix("NVIDIA ").strip()
