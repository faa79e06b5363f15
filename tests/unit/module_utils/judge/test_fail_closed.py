"""Whatever cannot be read, in whatever combination: a node is never ready when a required check lost its reading."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.module_utils.healthy_node import judged, observation

HEALTHY = observation()
# What no required check rests on: for the record, or an alternative that is not needed on this node.
FOR_THE_RECORD = {
    "hostname",
    "kernel",
    "boot_id",
    "distribution",
    "image",
    "library_path",
    "serial",
    "uuid",
    "vbios_version",
    "memory_mib",
    "power_limit_w",
    "cuda_version",
    "ecc_errors",
    "remap_availability",
    "inforom_valid",
    "nvlink_errors",
    "utilization_percent",
    "pcie_generation_device_max",
    "pcie_replays",
    "application_clocks",
    "memory_temperature_c",
    "memory_temperature_max_c",
    "processes",
    "mig_devices",  # where MIG is off
    "pci_device_id",
    "pci_bus_id",
    "ecc_aggregate_uncorrected",
    "ecc_volatile_corrected",
    "ecc_aggregate_corrected",
    "temperature_margin_c",
    "persistence_mode",
    "link_width",
    "link_width_max",
    "previous",
    # The machine around the GPUs
    "sees_all_processes",
    "virtual_machine",
    "processor",
    "uptime_s",
    "kernel_parameters",
    "cpu_count",
    "hugepages",
    "daemons",
    "limits",
    "clock",
    "pending_reboot",
    "fabric_manager_version",
    "peer_memory",
    "pci_topology",
    "kernel_driver",
    "iommu",
    "port_type",
    "acs",
    "board",
    "firmware",
    "physical_state",
    "link_layer",
    "rate",
    "enabled",
    "counters",
    # The probe
    "matmul_fp8",
}


def readings(thing: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the paths of all readings."""
    if isinstance(thing, Reading):
        return [path, *(readings(thing.content, (*path, "content")) if thing.is_known else [])]
    if dataclasses.is_dataclass(thing):
        return [found for field in dataclasses.fields(thing) for found in readings(getattr(thing, field.name), (*path, field.name))]
    if isinstance(thing, tuple):
        return [found for index, item in enumerate(thing) for found in readings(item, (*path, index))]
    return []


def blinded(thing: Any, path: tuple[Any, ...]) -> Any:
    """Make one reading unreadable; a path that an earlier one cut off changes nothing."""
    if not path:
        return Reading.unreadable("blinded by the test")
    head, rest = path[0], path[1:]
    if isinstance(thing, Reading) and not thing.is_known:
        return thing
    if isinstance(head, int):
        return tuple(blinded(item, rest) if index == head else item for index, item in enumerate(thing))
    return dataclasses.replace(thing, **{head: blinded(getattr(thing, head), rest)})


def is_required(path: tuple[Any, ...]) -> bool:
    if "sampled" in path[:-1]:  # what each GPU was seen to do: the clocks' reasons while it computed count, the rest is said beside figures
        place = path[path.index("sampled") + 2]
        return path[-1] == "event_reasons" and HEALTHY.probe.value.sampled.value[place].phase == "matmul"
    return next(name for name in reversed(path) if isinstance(name, str) and name != "content") not in FOR_THE_RECORD


def of_each_kind(paths: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Choose, of paths that differ only in which GPU, link or port they are of, the first and the last."""
    alike: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for path in paths:
        alike.setdefault(tuple("one" if isinstance(name, int) else name for name in path), []).append(path)
    for same in alike.values():
        yield from dict.fromkeys((same[0], same[-1]))


PATHS = readings(HEALTHY)
REQUIRED = [path for path in PATHS if is_required(path)]


def test_every_single_required_reading_matters() -> None:
    for path in of_each_kind(REQUIRED):
        findings, verdict = judged(blinded(HEALTHY, path))
        assert verdict != "ready", path
        assert any(finding.status == "error" for finding in findings), path


def test_what_is_for_the_record_breaks_nothing() -> None:
    for path in of_each_kind(path for path in PATHS if not is_required(path)):
        findings, verdict = judged(blinded(HEALTHY, path))
        assert verdict == "ready", path
        assert not any(finding.status == "error" for finding in findings), path


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PATHS), unique=True), st.sampled_from(REQUIRED))
def test_no_subset_of_lost_readings_is_ready(lost: list[tuple[Any, ...]], required: tuple[Any, ...]) -> None:
    seen = HEALTHY
    for path in [*lost, required]:
        seen = blinded(seen, path)
    _findings, verdict = judged(seen)
    assert verdict not in ("ready", "degraded")
