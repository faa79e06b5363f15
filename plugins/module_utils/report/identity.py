"""What a node is, in two short columns: its GPUs and its driver, read from the observation."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from . import redact


@dataclass(frozen=True, slots=True)
class Hardware:
    """The columns; "" where it was not read."""

    gpus: str
    driver: str


def hardware(observation: Any) -> Hardware:
    """Return what NVML said, and where it said nothing what the PCI bus and the kernel module say."""
    gpus = known(observation, "nvml", "gpus")
    driver = known(observation, "nvml", "driver_version") or known(observation, "kernel_module", "version")
    if isinstance(gpus, list):
        models = Counter(str(known(gpu, "name") or known(gpu, "state") or "unreadable").removeprefix("NVIDIA ") for gpu in gpus)
        text = ", ".join(f"{amount} \N{MULTIPLICATION SIGN} {model}" for model, amount in models.most_common()) or "none"
    else:
        on_bus = known(observation, "pci", "gpus")
        text = f"{len(on_bus)} on the PCI bus" if isinstance(on_bus, list) else ""
    return Hardware(redact.text(text), redact.text(driver) if isinstance(driver, str) else "")


def known(data: Any, *path: str) -> Any:
    """Follow a path through mappings and readings; None where it ends or a reading has no value."""
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
        if isinstance(data, dict) and len(data) == 1 and data.keys() <= {"value", "unsupported", "unreadable"}:
            data = data.get("value")
    return data
