"""Counters, judged by how much they rose since this node's last check; what they held before that is history."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Observation
from ansible_collections.gpu.fleet.plugins.module_utils.snapshot import change, hours_since

FIRST = "first reading, judged from the next check on"


def rise(observation: Observation, gpu: Gpu, name: str, now: int, *, lasting: bool = False) -> int | None:
    """Return by how much a GPU's counter rose; None where that cannot be told. `lasting` is one that outlives a reboot."""
    return change(observation, gpu.uuid.value, name, now, lasting=lasting) if gpu.uuid.is_known else None


def minutes(observation: Observation) -> float | None:
    """Return the minutes since the last check, at least one: a rate is not told from seconds. None where that cannot be told."""
    hours = hours_since(observation)
    return None if hours is None else max(1.0, hours * 60)
