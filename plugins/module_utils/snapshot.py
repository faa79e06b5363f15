"""What a node remembers of one check for the next one: counters and identities, as plain data. Counters are judged by their change."""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterable, Iterator

from ansible_collections.gpu.fleet.plugins.module_utils import recovery
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Identity, Observation, Snapshot

_TIME = "%Y-%m-%dT%H:%M:%SZ"  # UTC, whatever the node's time zone is

# Fields of Gpu with a number that only rises. Those that the GPU keeps through a reboot are judged with `lasting=True`.
_GPU_COUNTERS = (
    "ecc_volatile_corrected",
    "ecc_volatile_uncorrected",
    "ecc_aggregate_corrected",
    "ecc_aggregate_uncorrected",
    "pcie_replays",
)


def take(observation: Observation) -> Snapshot:
    """Collect from an observation what the next check is to know."""
    counters: dict[str, dict[str, int]] = {}
    for subject, name, value in _counters(observation):
        counters.setdefault(subject, {})[name] = value
    return Snapshot(
        measured_at=observation.measured_at,
        boot_id=recovery.boot(observation),
        driver_version=driver_version(observation),
        counters=counters,
        identities=_identities(observation),
        last_error_s=recovery.newest_errors(observation),
        recovery_asked=recovery.asked(observation),
        recoveries=recovery.so_far(observation),
    )


def change(observation: Observation, subject: str, name: str, now: int, *, lasting: bool = False) -> int | None:
    """Return by how much a counter rose since the last check; None where that cannot be told (no value then, or it started anew).

    A counter starts anew with the boot, unless it is `lasting`, such as a GPU's aggregate ECC counters.
    """
    if not observation.previous.is_known:
        return None
    previous = observation.previous.value
    before = previous.counters.get(subject, {}).get(name)
    if before is None or now < before:
        return None
    boot_id = recovery.boot(observation)
    if not lasting and boot_id and previous.boot_id not in ("", boot_id):
        return None
    return now - before


def hours_since(observation: Observation) -> float | None:
    """Return the hours since the last check, so that a change can be judged as a rate; None where that cannot be told."""
    if not observation.previous.is_known:
        return None
    before, now = seconds(observation.previous.value.measured_at), seconds(observation.measured_at)
    return None if before is None or now is None or now < before else (now - before) / 3600


def seconds(moment: str) -> float | None:
    """Read a time such as `2026-01-01T00:00:00Z` as seconds of UTC; None where it is none."""
    try:
        return float(calendar.timegm(time.strptime(moment, _TIME)))
    except ValueError:
        return None


def driver_version(observation: Observation) -> str:
    """Return the driver's version, of the kernel module where NVML does not tell; empty where nobody does."""
    told, module = observation.nvml.driver_version, observation.kernel_module
    if told.is_known:
        return told.value
    return module.value.version if module.is_known else ""


def identities(gpus: Iterable[Gpu]) -> dict[str, Identity]:
    """Name GPUs by their place on the bus, those that tell it and who they are."""
    return {
        gpu.pci_bus_id.value: Identity(
            *(reading.value if reading.is_known else "" for reading in (gpu.uuid, gpu.serial, gpu.vbios_version, gpu.name))
        )
        for gpu in gpus
        if gpu.pci_bus_id.is_known and gpu.uuid.is_known
    }


def _counters(observation: Observation) -> Iterator[tuple[str, str, int]]:
    """Yield every counter that can be read: its subject, its name and its value."""
    for gpu in _gpus(observation):
        if gpu.uuid.is_known:
            for name in _GPU_COUNTERS:
                reading = getattr(gpu, name)
                if reading.is_known:
                    yield gpu.uuid.value, name, reading.value
            for link, kinds in gpu.nvlink_errors.value.items() if gpu.nvlink_errors.is_known else ():
                for name, value in kinds.items():
                    yield f"{gpu.uuid.value}/nvlink{link}", name, value
    for adapter in observation.system.adapters.value if observation.system.adapters.is_known else ():
        for port in adapter.ports:
            for name, value in port.counters.value.items() if port.counters.is_known else ():
                yield f"{adapter.name}/{port.number}", name, value


def _identities(observation: Observation) -> dict[str, Identity]:
    """Name every GPU by its place; one that does not answer is still the one that it was, and one that is gone is not forgotten.

    It is as soon as another came, or somebody says that the node has been repaired.
    """
    found = identities(_gpus(observation))
    before = observation.previous.value.identities if observation.previous.is_known else {}
    bus = {device.address for device in observation.pci.value.gpus} if observation.pci.is_known else set(before)
    moved = {identity.uuid for identity in found.values()}
    one_is_gone = len(bus) < len(before)
    silent = {address: was for address, was in before.items() if was.uuid not in moved and (address in bus or one_is_gone)}
    return {**silent, **found}


def _gpus(observation: Observation) -> tuple[Gpu, ...]:
    return observation.nvml.gpus.value if observation.nvml.gpus.is_known else ()
