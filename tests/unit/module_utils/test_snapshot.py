"""What one check hands to the next: collected, kept through JSON, and compared."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils import recovery
from ansible_collections.gpu.fleet.plugins.module_utils.observation import (
    Host,
    Identity,
    KernelModule,
    Observation,
    PciBus,
    Snapshot,
)
from ansible_collections.gpu.fleet.plugins.module_utils.plain import from_plain, to_plain
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from ansible_collections.gpu.fleet.plugins.module_utils.snapshot import change, hours_since, seconds, take
from unit.module_utils.healthy_node import H100, address, broken, judged, known, log, observation, pci_device, snapshot, xid

ECC = "ecc_volatile_corrected"


def after(count: int, **changes: Any) -> Observation:
    """A check whose predecessor counted so many corrected errors on GPU 3."""
    return observation(previous=known(snapshot(counters={"GPU-3": {ECC: count}})), **changes)


def booted(boot_id: Reading[str]) -> Host:
    return replace(observation().host, boot_id=boot_id)


def test_a_check_hands_on_its_counters_identities_and_newest_errors() -> None:
    events = log(xid(31), replace(xid(79), last_s=90.0), xid(12028, index=1, source="sxid"))
    taken = take(observation(gpus={3: {ECC: known(5)}}, kernel_log=known(events)))
    assert taken.measured_at == "2026-01-01T00:00:00Z"
    assert (taken.boot_id, taken.driver_version) == ("b00t", "570.124.06")
    assert taken.counters["GPU-3"][ECC] == 5
    assert taken.counters["GPU-0"][ECC] == 0
    assert taken.identities[address(3)] == Identity("GPU-3", "1653", "96.00.5E.00.01", H100)
    assert taken.last_error_s == {address(3): 90.0, address(1): 10.0}


def test_a_snapshot_is_replayed_as_it_was() -> None:
    taken = take(observation(gpus={3: {ECC: known(5)}}))
    assert from_plain(Snapshot, json.loads(json.dumps(to_plain(taken)))) == taken


def test_what_could_not_be_read_is_left_out() -> None:
    blind = observation(
        gpus={2: {"uuid": broken}, 3: {ECC: broken, "serial": Reading.unsupported("none")}},
        host=booted(broken),
        nvml={"driver_version": broken},
        kernel_log=broken,
    )
    taken = take(blind)
    assert "GPU-2" not in taken.counters
    assert ECC not in taken.counters["GPU-3"]
    assert taken.identities[address(3)].serial == ""
    assert (taken.boot_id, taken.driver_version, taken.last_error_s) == ("", "", {})
    assert take(replace(blind, kernel_module=known(KernelModule("570.124.06", "open")))).driver_version == "570.124.06"


SEVEN = known(PciBus(tuple(pci_device(index) for index in range(7)), ()))


def test_a_gpu_that_is_silent_or_gone_is_not_forgotten() -> None:
    silent = observation(previous=known(snapshot()), nvml={"gpus": broken})
    assert take(silent).identities == snapshot().identities
    gone = observation(previous=known(snapshot()), gpus={7: None}, pci=SEVEN)
    again = observation(previous=known(take(gone)), gpus={7: None}, pci=SEVEN)
    assert address(7) in take(again).identities
    for checked in (gone, again):
        assert ("gpu_changes", "fail") in {(finding.check, finding.status) for finding in judged(checked, active=False)[0]}


def test_a_gpu_is_forgotten_when_it_moved_was_replaced_or_was_taken_out() -> None:
    elsewhere = {7: {"pci_bus_id": known("00000000:e5:00.0")}}
    bus = known(PciBus((*SEVEN.value.gpus, replace(pci_device(7), address="00000000:e5:00.0")), ()))
    moved = take(observation(previous=known(snapshot()), gpus=elsewhere, pci=bus)).identities
    assert (len(moved), moved["00000000:e5:00.0"].uuid) == (8, "GPU-7")
    elsewhere[7]["uuid"] = known("GPU-new")
    other = take(observation(previous=known(snapshot()), gpus=elsewhere, pci=bus)).identities
    assert (len(other), other["00000000:e5:00.0"].uuid) == (8, "GPU-new")
    out = recovery.declared(observation(previous=known(snapshot()), gpus={7: None}, pci=SEVEN))
    assert address(7) not in take(out).identities
    assert ("gpu_changes", "pass") in {(finding.check, finding.status) for finding in judged(out, active=False)[0]}


@pytest.mark.parametrize(
    ("before", "now", "risen"), [(0, 0, 0), (2, 5, 3), (5, 2, None)], ids=["none", "more", "started anew: fewer than before"]
)
def test_a_counter_is_judged_by_its_change(before: int, now: int, risen: int | None) -> None:
    assert change(after(before), "GPU-3", ECC, now) == risen


def test_a_first_reading_has_no_change() -> None:
    assert change(observation(), "GPU-3", ECC, 7) is None
    assert change(observation(previous=broken), "GPU-3", ECC, 7) is None
    assert change(after(2), "GPU-4", ECC, 7) is None
    assert change(after(2), "GPU-3", "pcie_replays", 7) is None


def test_a_boot_starts_counters_anew_but_for_lasting_ones() -> None:
    rebooted = after(2, host=booted(known("another")))
    assert change(rebooted, "GPU-3", ECC, 7) is None
    assert change(rebooted, "GPU-3", ECC, 7, lasting=True) == 5
    unknown_boot = after(2, host=booted(broken))
    assert change(unknown_boot, "GPU-3", ECC, 7) == 5


def test_the_time_since_the_last_check_makes_a_rate() -> None:
    assert hours_since(after(0)) == 1.0
    assert hours_since(observation()) is None
    assert hours_since(observation(previous=known(snapshot(measured_at="2030-01-01T00:00:00Z")))) is None
    assert hours_since(observation(previous=known(snapshot(measured_at="yesterday")))) is None


def test_times_are_utc_whatever_the_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    import time  # noqa: PLC0415 - what is changed here is changed back below

    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        assert seconds("1970-01-02T00:00:00Z") == 86400
    finally:
        monkeypatch.undo()
        time.tzset()
