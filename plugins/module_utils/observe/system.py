"""Reads the machine around the GPUs in a child with a deadline: an adapter's firmware or a lost file server may hang a reading."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Child, Deadline
from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import System
from ansible_collections.gpu.fleet.plugins.module_utils.observe import (
    cdi,
    clock,
    container_engine,
    daemons,
    fabric_manager,
    infiniband,
    machine,
    pci,
    pci_topology,
    pending_reboot,
    storage,
)
from ansible_collections.gpu.fleet.plugins.module_utils.plain import from_plain, to_plain
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

Emit = Callable[[Any], None]


class Observer:
    """A reading of the machine under way; started before the other sources are read, and collected after them."""

    def __init__(self, root: Path, deadline: Deadline) -> None:
        """Start reading."""
        self._child = Child(lambda emit: read(root, deadline, emit), deadline)

    def result(self) -> System:
        """Wait for the child, and put together what it could read."""
        items, trouble = self._child.collect()
        return assemble(items, trouble)


def read(root: Path, deadline: Deadline, emit: Emit) -> None:
    """Read everything, emitting one item (what, reading) at a time; what might hang comes last."""
    seen: dict[str, Reading[Any]] = {}
    for name, reader in _readers(root, deadline, seen).items():
        try:
            seen[name] = reader()
        except Exception as error:  # noqa: BLE001 - a source that breaks is a reading that failed, and takes nothing from the others
            seen[name] = Reading.unreadable(f"{type(error).__name__}: {error}")
        emit([name, to_plain(seen[name])])


def assemble(items: Iterable[tuple[str, Any]], trouble: str) -> System:
    """Put the items together; whatever is missing is unreadable, because of `trouble`."""
    absent = {"unreadable": trouble or "not read"}
    return from_plain(System, {**{field.name: absent for field in fields(System)}, **dict(items)})


def _readers(root: Path, deadline: Deadline, seen: dict[str, Reading[Any]]) -> dict[str, Callable[[], Reading[Any]]]:
    """Say how each reading is had; `seen` holds those that were had before."""
    return {
        "sees_all_processes": lambda: machine.sees_all_processes(root),
        "virtual_machine": lambda: machine.virtual_machine(root),
        "processor": lambda: machine.processor(root),
        "uptime_s": lambda: machine.uptime_s(root),
        "kernel_parameters": lambda: machine.kernel_parameters(root),
        "cpu_count": lambda: machine.cpu_count(root),
        "memory_mib": lambda: machine.memory_mib(root),
        "hugepages": lambda: machine.hugepages(root),
        "daemons": lambda: daemons.observe(root),
        "limits": lambda: daemons.limits(root, seen["daemons"]),
        "clock": clock.observe,
        "pending_reboot": lambda: pending_reboot.observe(root, os.uname().release),
        "peer_memory": lambda: infiniband.peer_memory(root),
        "shared_memory": lambda: storage.shared_memory(root),
        "fabric_manager_version": lambda: fabric_manager.version(root, deadline),
        "container_engine": lambda: container_engine.observe(root, deadline),
        "cdi": lambda: cdi.observe(root, _of_engine(seen, "cdi_folders") or container_engine.CDI_FOLDERS),
        "image_stores": lambda: storage.image_stores(root, _of_engine(seen, "image_folders")),
        "adapters": lambda: infiniband.observe(root),
        "pci_topology": lambda: pci_topology.observe(root, _gpus(root), _adapters(seen)),
    }


def _of_engine(seen: dict[str, Reading[Any]], what: str) -> tuple[str, ...]:
    engine = seen["container_engine"]
    return getattr(engine.value, what) if engine.is_known else ()


def _gpus(root: Path) -> list[str]:
    bus = pci.observe(root)
    return [device.address for device in bus.value.gpus] if bus.is_known else []


def _adapters(seen: dict[str, Reading[Any]]) -> list[str]:
    adapters = seen["adapters"]
    return [adapter.pci_address for adapter in adapters.value if adapter.pci_address] if adapters.is_known else []
