"""Which of this boot's errors are dealt with, since the device has been recovered after them. Times are seconds of the kernel log."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation, Recovery, Snapshot
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

# /dev/kmsg and the journal differ by less than that about when a line was written; no recovery is that fast.
_TOLERANCE_S = 1.0


def is_over(observation: Observation, pci_id: str, last_s: float) -> bool:
    """Say whether an error of that time is older than the device's last recovery."""
    until_s = _until(observation, pci_id)
    return until_s is not None and last_s <= until_s + _TOLERANCE_S


def declared(observation: Observation) -> Observation:
    """Take for recovered every device whose errors are in the kernel log now, and a GPU that is gone for taken out: somebody says so."""
    boot_id, newest = boot(observation), newest_errors(observation)
    recoveries = tuple(Recovery(boot_id, pci_id, until_s) for pci_id, until_s in newest.items())
    nothing = Snapshot(observation.measured_at, boot_id, "", {}, {}, {}, (), ())
    before = observation.previous.value if observation.previous.is_known else nothing
    bus = {device.address for device in observation.pci.value.gpus} if observation.pci.is_known else set(before.identities)
    here = {address: identity for address, identity in before.identities.items() if address in bus}
    return replace(observation, previous=Reading.of(replace(before, recoveries=recoveries, identities=here)))


def so_far(observation: Observation) -> tuple[Recovery, ...]:
    """List the recoveries of this boot for the next check; where the boot cannot be told, all."""
    before = observation.previous.value.recoveries if observation.previous.is_known else ()
    boot_id = boot(observation)
    if not boot_id:
        return before
    devices = {recovery.pci_id for recovery in before} | set(newest_errors(observation))
    ends = {pci_id: _until(observation, pci_id) for pci_id in sorted(devices)}
    return tuple(Recovery(boot_id, pci_id, until_s) for pci_id, until_s in ends.items() if until_s is not None)


def asked(observation: Observation) -> tuple[str, ...]:
    """Name the GPUs that ask for a recovery, and those that asked and do not tell now."""
    previous = _previous_of_this_boot(observation)
    asking = set(previous.recovery_asked) if previous else set()
    for address, asks in _asks(observation).items():
        asking.discard(address)
        if asks:
            asking.add(address)
    return tuple(sorted(asking))


def newest_errors(observation: Observation) -> dict[str, float]:
    """Return when each device had its newest error; where the kernel log is closed to us, what was known of this boot before."""
    if not observation.kernel_log.is_known:
        previous = _previous_of_this_boot(observation)
        return previous.last_error_s if previous else {}
    newest: dict[str, float] = {}
    for event in observation.kernel_log.value.events:
        newest[event.pci_id] = max(event.last_s, newest.get(event.pci_id, 0.0))
    return newest


def boot(observation: Observation) -> str:
    """Return the boot's id, empty where it is not known."""
    boot_id = observation.host.boot_id
    return boot_id.value if boot_id.is_known else ""


def _until(observation: Observation, pci_id: str) -> float | None:
    """Return the end of what is dealt with: a recovery was recorded, or the driver asked for one at the last check and asks no more."""
    boot_id = boot(observation)
    if not boot_id or not observation.previous.is_known:
        return None
    recoveries = observation.previous.value.recoveries
    ends = [recovery.until_s for recovery in recoveries if (recovery.boot_id, recovery.pci_id) == (boot_id, pci_id)]
    previous = _previous_of_this_boot(observation)
    if previous and pci_id in previous.recovery_asked and _asks(observation).get(pci_id) is False:
        ends += [previous.last_error_s[pci_id]] if pci_id in previous.last_error_s else []
    return max(ends, default=None)


def _asks(observation: Observation) -> dict[str, bool]:
    gpus = observation.nvml.gpus.value if observation.nvml.gpus.is_known else ()
    return {
        gpu.pci_bus_id.value: gpu.recovery_action.value != 0 for gpu in gpus if gpu.pci_bus_id.is_known and gpu.recovery_action.is_known
    }


def _previous_of_this_boot(observation: Observation) -> Snapshot | None:
    boot_id = boot(observation)
    previous = observation.previous.value if observation.previous.is_known else None
    return previous if previous and boot_id and previous.boot_id == boot_id else None
