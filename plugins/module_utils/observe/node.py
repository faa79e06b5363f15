"""Reads everything about one node, each source apart: what one of them does not tell takes nothing from the others."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Deadline
from ansible_collections.gpu.fleet.plugins.module_utils.observation import SCHEMA, Nvml, Observation, Snapshot
from ansible_collections.gpu.fleet.plugins.module_utils.observation_probe import Probe
from ansible_collections.gpu.fleet.plugins.module_utils.observe import device_nodes, driver, host, kernel_log, nvml, pci, system
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

_NVML_S = 60.0  # starting NVML takes seconds per GPU where persistence mode is off
_SYSTEM_S = 30.0  # an adapter whose firmware does not answer holds a reading up for as long as that

T = TypeVar("T")
Probing = Callable[[Nvml, Deadline], Reading[Probe]]

_NO_HISTORY: Reading[Snapshot] = Reading.unsupported("no history is kept of this node")


def observe(
    bindings: Callable[[], Any],
    deadline: Deadline,
    probing: Probing | None = None,
    root: Path = Path("/"),
    previous: Reading[Snapshot] = _NO_HISTORY,
) -> Observation:
    """Read the node; `probing` measures its GPUs as well. `previous` is what its history holds of the last check."""
    measured_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    gpus = nvml.Observer(bindings, deadline.at_most(min(_NVML_S, deadline.left / 2)))
    machine = system.Observer(root, deadline.at_most(min(_SYSTEM_S, deadline.left / 2)))
    who = host.observe(root)
    module = _guarded(lambda: driver.observe(root))
    bus = _guarded(lambda: pci.observe(root))
    log = _guarded(lambda: kernel_log.observe(deadline, root))
    seen = gpus.result()
    around = machine.result()
    nodes = _guarded(lambda: device_nodes.observe(root))
    not_asked: Reading[Any] = Reading.unsupported("not asked for: level passive runs no probe")
    return Observation(
        schema=SCHEMA,
        measured_at=measured_at,
        host=who,
        kernel_module=module,
        pci=bus,
        nvml=seen,
        device_nodes=nodes,
        kernel_log=log,
        probe=_guarded(lambda: probing(seen, deadline)) if probing else not_asked,
        previous=previous,
        system=around,
    )


def _guarded(read: Callable[[], Reading[T]]) -> Reading[T]:
    try:
        return read()
    except Exception as error:  # noqa: BLE001 - a source that breaks is a reading that failed
        return Reading.unreadable(f"{type(error).__name__}: {error}")
