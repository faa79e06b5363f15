"""The checks on one GPU: each fault gives exactly its findings and its verdict, and what is ordinary gives none."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Fabric, Identity, KernelModule, PciBus
from ansible_collections.gpu.fleet.plugins.module_utils.observation_gpu import ApplicationClocks, GpuProcess, SpareRows
from unit.module_utils.healthy_node import (
    ECC_COUNTERS,
    H100,
    NO,
    YES,
    absent,
    address,
    broken,
    judged,
    known,
    observation,
    pci_device,
    snapshot,
)

GPU3 = address(3)
RECENTLY = "2025-12-31T23:59:59Z"  # a second before the healthy node's check
LINKS = {str(link): dict.fromkeys(("replay", "recovery", "crc_flit", "crc_data"), 0) for link in range(18)}
JOB = GpuProcess(4711, "python", known(70_000), known(YES))
MIG_ON = {"mig_enabled": known(YES), "mig_pending": known(YES), "mig_devices": known(7)}
GHOST = GpuProcess(4712, "python", known(70_000), known(NO))
ELSEWHERE = GpuProcess(4713, "python", absent, absent)


def on_gpu(index: int, **changes: Any) -> dict[str, Any]:
    return {"gpus": {index: changes}}


def on_all(**changes: Any) -> dict[str, Any]:
    return {"gpus": dict.fromkeys(range(8), changes)}


def before(counters: dict[str, dict[str, int]] | None = None, **changes: Any) -> dict[str, Any]:
    return {"previous": known(snapshot(counters=counters or {}, **changes))}


def ecc_errors(**counts: int) -> Any:
    return known({**dict.fromkeys(ECC_COUNTERS, 0), **counts})


def links(link: str = "5", **counts: int) -> Any:
    return known({**LINKS, link: {**LINKS[link], **counts}})


def identities(**changes: Identity | None) -> dict[str, Identity]:
    """Name the healthy node's GPUs; `gpu3` is changed, or taken out with None."""
    same = {f"gpu{index}": (address(index), Identity(f"GPU-{index}", f"165{index}", "96.00.5E.00.01", H100)) for index in range(8)}
    merged = {name: (where, changes.get(name, was)) for name, (where, was) in same.items()}
    return {where: was for where, was in merged.values() if was}


def failed(check: str, action: str, *, kills: bool = False, subject: str = GPU3) -> set[tuple[str, str, str, str, bool]]:
    return {(check, subject, "fail", action, kills)}


def unread(check: str) -> set[tuple[str, str, str, str, bool]]:
    return {(check, GPU3, "error", "investigate", False)}


def modules(flavour: str, *device_ids: str) -> dict[str, Any]:
    devices = tuple(pci_device(index, device_id=device_ids[index % len(device_ids)]) for index in range(8))
    return {"kernel_module": known(KernelModule("570.124.06", flavour)), "pci": known(PciBus(devices, ()))}


NONE: set[Any] = set()
ROWS: dict[str, tuple[dict[str, Any], dict[str, Any], set[Any], str]] = {
    # Memory
    "errors told memory by memory only": (
        on_gpu(3, ecc_volatile_uncorrected=absent, ecc_errors=ecc_errors(volatile_uncorrected_sram=1)),
        {},
        failed("ecc", "reset_gpu", kills=True),
        "not_ready",
    ),
    "the total leaves out what a memory tells": (
        on_gpu(3, ecc_errors=ecc_errors(volatile_uncorrected_sram=1)),
        {},
        failed("ecc", "reset_gpu", kills=True),
        "not_ready",
    ),
    "no total, and the memories not readable": (
        on_gpu(3, ecc_volatile_uncorrected=absent, ecc_errors=broken, ecc_aggregate_uncorrected=absent),
        {},
        unread("ecc"),
        "unknown",
    ),
    "no total, and what lasts not readable": (
        on_gpu(3, ecc_volatile_uncorrected=absent, ecc_errors=absent, ecc_aggregate_uncorrected=broken),
        {},
        unread("ecc"),
        "unknown",
    ),
    "no total, and errors in the only memory that is told": (
        on_gpu(3, ecc_volatile_uncorrected=absent, ecc_errors=known({"volatile_uncorrected_sram": 1})),
        {},
        failed("ecc", "reset_gpu", kills=True),
        "not_ready",
    ),
    "the total not readable, and errors in a memory": (
        on_gpu(3, ecc_volatile_uncorrected=broken, ecc_errors=ecc_errors(volatile_uncorrected_sram=1)),
        {},
        failed("ecc", "reset_gpu", kills=True),
        "not_ready",
    ),
    "corrected errors": (on_gpu(3, ecc_volatile_corrected=known(100_000), ecc_aggregate_corrected=known(900_000)), {}, NONE, "ready"),
    "errors told for the GPU's life only, and new": (
        {
            **on_gpu(3, ecc_volatile_uncorrected=absent, ecc_errors=absent, ecc_aggregate_uncorrected=known(5)),
            **before({"GPU-3": {"ecc_aggregate_uncorrected": 4}}),
        },
        {},
        failed("ecc", "reset_gpu", kills=True),
        "not_ready",
    ),
    "errors told for the GPU's life only, and old": (
        {
            **on_gpu(3, ecc_volatile_uncorrected=absent, ecc_errors=absent, ecc_aggregate_uncorrected=known(5)),
            **before({"GPU-3": {"ecc_aggregate_uncorrected": 5}}),
        },
        {},
        NONE,
        "ready",
    ),
    "errors that a reset has dealt with": (
        {**on_gpu(3, ecc_aggregate_uncorrected=known(5)), **before({"GPU-3": {"ecc_aggregate_uncorrected": 4}}, boot_id="earlier")},
        {},
        NONE,
        "ready",
    ),
    "SRAM over its threshold": (on_gpu(3, sram_threshold_exceeded=known(YES)), {}, failed("sram", "replace", kills=True), "not_ready"),
    "SRAM threshold not readable": (on_gpu(3, sram_threshold_exceeded=broken), {}, unread("sram"), "unknown"),
    "SRAM threshold not told by the driver": (on_all(sram_threshold_exceeded=absent), {}, NONE, "ready"),
    "SRAM threshold without ECC": (on_all(ecc_enabled=known(NO), sram_threshold_exceeded=broken), {}, NONE, "ready"),
    "a bank without spare rows": (
        on_gpu(3, remap_availability=known(SpareRows(2559, 0, 0, 0, 1))),
        {},
        failed("remap_availability", "investigate"),
        "degraded",
    ),
    "a bank with few spare rows": (
        on_gpu(3, remap_availability=known(SpareRows(2550, 7, 2, 1, 0))),
        {},
        NONE,
        "ready",
    ),
    "spare rows not readable": (on_gpu(3, remap_availability=broken), {}, NONE, "ready"),
    "InfoROM corrupted": (on_gpu(3, inforom_valid=known(NO)), {}, failed("inforom", "investigate"), "degraded"),
    # Identity
    "another VBIOS": (on_gpu(3, vbios_version=known("96.00.74.00.01")), {}, failed("vbios", "investigate"), "degraded"),
    "another VBIOS of another model": (
        on_gpu(3, vbios_version=known("96.00.74.00.01"), name=known("NVIDIA H100 NVL")),
        {},
        failed("gpu_model", "investigate"),
        "degraded",
    ),
    "VBIOS not readable": (on_gpu(3, vbios_version=broken), {}, NONE, "ready"),
    "the same GPUs as before": (before(identities=identities()), {}, NONE, "ready"),
    "a GPU replaced": (before(identities=identities(gpu3=Identity("GPU-x", "1", "96", H100))), {}, NONE, "ready"),
    "a new GPU": (before(identities=identities(gpu3=None)), {}, NONE, "ready"),
    "a GPU gone": (
        {**on_gpu(3), "gpus": {3: None}, "pci": known(PciBus(tuple(pci_device(index) for index in range(8) if index != 3), ()))}
        | {"device_nodes": known((0, 1, 2, 4, 5, 6, 7)), **before(identities=identities())},
        {},
        failed("gpu_changes", "investigate", kills=True),
        "not_ready",
    ),
    "a GPU taken out, as the inventory says": (
        {"gpus": {3: None}, "pci": known(PciBus(tuple(pci_device(index) for index in range(8) if index != 3), ()))}
        | {"device_nodes": known((0, 1, 2, 4, 5, 6, 7)), **before(identities=identities())},
        {"gpu_count": 7},
        NONE,
        "ready",
    ),
    "a history that cannot be read": ({"previous": broken}, {}, NONE, "ready"),
    # NVLink errors
    "first reading of large counters": (on_gpu(3, nvlink_errors=links(replay=900, crc_flit=10**9)), {}, NONE, "ready"),
    "a replay": (
        {**on_gpu(3, nvlink_errors=links(replay=901)), **before({"GPU-3/nvlink5": {"replay": 900}})},
        {},
        failed("nvlink_errors", "investigate"),
        "degraded",
    ),
    "counters that started anew": (
        {**on_gpu(3, nvlink_errors=links(replay=901)), **before({"GPU-3/nvlink5": {"replay": 900}}, boot_id="earlier")},
        {},
        NONE,
        "ready",
    ),
    "CRC errors now and then": (
        {**on_gpu(3, nvlink_errors=links(crc_flit=5000)), **before({"GPU-3/nvlink5": {"crc_flit": 0}}, measured_at=RECENTLY)},
        {},
        NONE,
        "ready",
    ),
    "CRC errors at 100 a second": (
        {**on_gpu(3, nvlink_errors=links(crc_data=6000)), **before({"GPU-3/nvlink5": {"crc_data": 0}}, measured_at=RECENTLY)},
        {},
        failed("nvlink_errors", "investigate"),
        "degraded",
    ),
    "a failed recovery of NVLink 5": (
        {**on_gpu(3, nvlink_errors=known({"5": {"recovery_failed": 1}})), **before({"GPU-3/nvlink5": {"recovery_failed": 0}})},
        {},
        failed("nvlink_errors", "investigate"),
        "degraded",
    ),
    "counters not readable": (on_gpu(3, nvlink_errors=broken, pcie_replays=broken), {}, NONE, "ready"),
    "links switched off for MIG": (
        on_gpu(3, **MIG_ON, nvlinks=known(dict.fromkeys("012", NO))),
        {},
        NONE,
        "ready",
    ),
    # The fabric, as the third version of its structure sums it up
    "a healthy fabric": (on_all(fabric=known(Fabric(3, 0, 0x1AA, 1))), {}, NONE, "ready"),
    "an unhealthy fabric": (
        on_gpu(3, fabric=known(Fabric(3, 0, 0x1AA, 2))),
        {},
        failed("fabric", "investigate", kills=True),
        "not_ready",
    ),
    "a fabric of limited capacity": (on_gpu(3, fabric=known(Fabric(3, 0, 0x1AA, 3))), {}, failed("fabric", "investigate"), "degraded"),
    # PCI Express
    "a slow link on an idle GPU": (on_gpu(3, pcie_generation=known(1)), {}, NONE, "ready"),
    "a slow link under load": (
        on_gpu(3, pcie_generation=known(3), utilization_percent=known(95), clock_event_reasons=known(0)),
        {},
        failed("pcie_generation", "investigate"),
        "degraded",
    ),
    "a slow slot": (on_gpu(3, pcie_generation=known(4), pcie_generation_max=known(4)), {}, NONE, "ready"),
    "a slow slot that the inventory forbids": (
        on_gpu(3, pcie_generation=known(4), pcie_generation_max=known(4)),
        {"pcie_generation": 5},
        failed("pcie_generation", "investigate"),
        "degraded",
    ),
    "generation not readable": (on_gpu(3, pcie_generation=broken), {}, unread("pcie_generation"), "unknown"),
    "8 replays a minute": ({**on_gpu(3, pcie_replays=known(480)), **before({"GPU-3": {"pcie_replays": 0}})}, {}, NONE, "ready"),
    "more replays": (
        {**on_gpu(3, pcie_replays=known(500)), **before({"GPU-3": {"pcie_replays": 0}})},
        {},
        failed("pcie_replays", "investigate"),
        "degraded",
    ),
    "a replay counter that started anew": (
        {**on_gpu(3, pcie_replays=known(3)), **before({"GPU-3": {"pcie_replays": 500}})},
        {},
        NONE,
        "ready",
    ),
    # Clocks, power, heat
    "application clocks lowered": (
        on_gpu(3, application_clocks=known(ApplicationClocks(1200, 2619, 1980, 2619))),
        {},
        failed("application_clocks", "investigate"),
        "degraded",
    ),
    "application clocks raised": (on_all(application_clocks=known(ApplicationClocks(1590, 5001, 585, 5001))), {}, NONE, "ready"),
    "no application clocks": (on_all(application_clocks=absent), {}, NONE, "ready"),
    "power limit lowered": (
        on_gpu(3, power_limit_w=known(500.0), power_limit_enforced_w=known(500.0)),
        {},
        failed("power_limit", "investigate"),
        "degraded",
    ),
    "power limit lowered by the board": (
        on_gpu(3, power_limit_enforced_w=known(500.0)),
        {},
        failed("power_limit", "investigate"),
        "degraded",
    ),
    "power limit lowered, as the inventory says": (
        on_all(power_limit_w=known(500.0), power_limit_enforced_w=known(500.0)),
        {"power_limit": 500},
        NONE,
        "ready",
    ),
    "power limit raised": (on_all(power_limit_w=known(750.0), power_limit_enforced_w=known(750.0)), {}, NONE, "ready"),
    "power limit rounded": (on_all(power_limit_enforced_w=known(699.5)), {}, NONE, "ready"),
    "power limit only as set": (
        on_gpu(3, power_limit_enforced_w=absent, power_limit_w=known(500.0)),
        {},
        failed("power_limit", "investigate"),
        "degraded",
    ),
    "no power limit": (on_all(power_limit_w=absent, power_limit_enforced_w=absent, power_limit_default_w=absent), {}, NONE, "ready"),
    "power limit not readable": (on_gpu(3, power_limit_enforced_w=broken), {}, unread("power_limit"), "unknown"),
    "hot memory": (on_gpu(3, memory_temperature_c=known(96)), {}, failed("memory_temperature", "investigate"), "degraded"),
    "memory's temperature not told": (on_all(memory_temperature_c=absent, memory_temperature_max_c=absent), {}, NONE, "ready"),
    # MIG, compute mode, processes
    "MIG on, and the inventory does not say": (on_all(**MIG_ON), {}, NONE, "ready"),
    "MIG on without MIG devices": (
        on_gpu(3, **{**MIG_ON, "mig_devices": known(0)}),
        {},
        failed("mig", "investigate", kills=True),
        "not_ready",
    ),
    "MIG on without MIG devices, as the inventory says": (
        on_all(**{**MIG_ON, "mig_devices": known(0)}),
        {"mig_mode": True},
        {("mig", address(index), "fail", "investigate", True) for index in range(8)},
        "not_ready",
    ),
    "MIG devices not readable": (on_gpu(3, **{**MIG_ON, "mig_devices": broken}), {}, unread("mig"), "unknown"),
    "MIG devices not told": (on_gpu(3, **{**MIG_ON, "mig_devices": absent}), {}, unread("mig"), "unknown"),
    "MIG devices not readable, and MIG off": (on_all(mig_devices=broken), {}, NONE, "ready"),
    "MIG waits for a reset": (on_gpu(3, mig_pending=known(YES)), {}, failed("mig", "reset_gpu"), "degraded"),
    "MIG on against the inventory": (
        on_gpu(3, mig_enabled=known(YES), mig_pending=known(YES)),
        {"mig_mode": False},
        failed("mig", "investigate", kills=True),
        "not_ready",
    ),
    "MIG off against the inventory": (
        {"gpus": {index: {} if index == 3 else MIG_ON for index in range(8)}},
        {"mig_mode": True},
        failed("mig", "investigate", kills=True),
        "not_ready",
    ),
    "no MIG, as the inventory says": (on_all(mig_enabled=absent, mig_pending=absent), {"mig_mode": False}, NONE, "ready"),
    "no MIG where there must be": (
        {"gpus": {index: {**MIG_ON, "mig_enabled": absent} if index == 3 else MIG_ON for index in range(8)}},
        {"mig_mode": True},
        failed("mig", "investigate", kills=True),
        "not_ready",
    ),
    "MIG mode not readable": (on_gpu(3, mig_enabled=broken), {}, unread("mig"), "unknown"),
    "no job may start": (on_gpu(3, compute_mode=known(2)), {}, failed("compute_mode", "investigate", kills=True), "not_ready"),
    "one process at a time": (on_all(compute_mode=known(3)), {}, NONE, "ready"),
    "one process at a time against the inventory": (
        on_gpu(3, compute_mode=known(3)),
        {"compute_mode": "default"},
        failed("compute_mode", "investigate"),
        "degraded",
    ),
    "no compute mode of its own": (on_all(compute_mode=absent), {}, NONE, "ready"),
    "a job": (on_all(processes=known((JOB, ELSEWHERE))), {}, NONE, "ready"),
    "a job on an idle node": (on_gpu(3, processes=known((JOB,))), {"idle": True}, failed("processes", "restart_app"), "degraded"),
    "held by what has ended": (on_gpu(3, processes=known((JOB, GHOST))), {}, failed("processes", "reset_gpu"), "degraded"),
    "processes not readable": (on_gpu(3, processes=broken), {}, NONE, "ready"),
    "processes of an idle node not readable": (on_gpu(3, processes=broken), {"idle": True}, unread("processes"), "unknown"),
    # Driver
    "open modules for Hopper": (modules("open", "2330"), {}, NONE, "ready"),
    "proprietary modules for Hopper and Turing": (modules("proprietary", "2330", "1eb8"), {}, NONE, "ready"),
    "proprietary modules for Blackwell": (
        modules("proprietary", "2901"),
        {},
        failed("kernel_module_flavour", "investigate", kills=True, subject="node1"),
        "not_ready",
    ),
    "proprietary modules for Grace Hopper": (
        modules("proprietary", "2342"),
        {},
        failed("kernel_module_flavour", "investigate", kills=True, subject="node1"),
        "not_ready",
    ),
    "open modules for Volta": (
        modules("open", "1db5"),
        {},
        failed("kernel_module_flavour", "investigate", kills=True, subject="node1"),
        "not_ready",
    ),
    "an image of an older CUDA": ({}, {"cuda_version": "11.8"}, NONE, "ready"),
    "an image of a newer minor CUDA": ({}, {"cuda_version": "12.9"}, NONE, "ready"),
    "an image of a newer CUDA": (
        {},
        {"cuda_version": "13.0"},
        failed("driver_cuda", "investigate", kills=True, subject="node1"),
        "not_ready",
    ),
    "the driver's CUDA not readable": (
        {"nvml": {"cuda_version": broken}},
        {"cuda_version": "12.6"},
        {("driver_cuda", "node1", "error", "investigate", False)},
        "unknown",
    ),
    # What keeps a GPU from answering
    "a reset is required": (on_gpu(3, state=known("reset required")), {}, failed("gpu_answers", "reset_gpu", kills=True), "not_ready"),
    "power cables are missing": (
        on_gpu(3, state=known("power cables missing")),
        {},
        failed("gpu_answers", "investigate", kills=True),
        "not_ready",
    ),
}


@pytest.mark.parametrize(("changes", "expectation", "expected", "expected_verdict"), ROWS.values(), ids=ROWS)
def test_a_fault_gives_exactly_its_findings(changes: Any, expectation: Any, expected: Any, expected_verdict: str) -> None:
    findings, verdict = judged(observation(**changes), expectation, active=False)
    bad = [finding for finding in findings if finding.status in ("fail", "error")]
    assert {(each.check, each.subject.id, each.status, each.action, each.kills_job) for each in bad} == expected
    assert verdict == expected_verdict
    assert all("expected" in finding.message for finding in bad if finding.status == "fail")


def said(check: str, **changes: Any) -> str:
    findings, _verdict = judged(observation(**changes), active=False)
    return " ".join(finding.message for finding in findings if finding.check == check)


def test_a_gpu_that_changed_is_named() -> None:
    replaced = said("gpu_changes", **before(identities=identities(gpu3=Identity("GPU-x", "999", "96", H100))))
    assert all(word in replaced for word in (GPU3, "GPU-3", "1653", "GPU-x", "999", "2025-12-31T23:00:00Z"))
    assert f"{GPU3} holds {H100} GPU-3 (serial 1653), new" in said("gpu_changes", **before(identities=identities(gpu3=None)))
    flashed = said("gpu_changes", **before(identities=identities(gpu3=Identity("GPU-3", "1653", "95.00", H100))))
    assert f"{GPU3} has VBIOS 96.00.5E.00.01, was 95.00" in flashed
    swapped = identities(gpu3=Identity("GPU-4", "1654", "96.00.5E.00.01", H100), gpu4=Identity("GPU-3", "1653", "96.00.5E.00.01", H100))
    assert f"moved from {address(4)} to {GPU3}" in said("gpu_changes", **before(identities=swapped))


def test_a_lost_gpu_is_not_gone() -> None:
    findings, _verdict = judged(
        observation(**on_gpu(3, state=known("lost"), pci_bus_id=broken, uuid=broken), **before(identities=identities()))
    )
    assert {finding.check for finding in findings if finding.status == "fail"} == {"gpu_answers"}


def test_errors_are_told_with_their_memory_and_their_link() -> None:
    assert "(2 in SRAM)" in said("ecc", **on_gpu(3, ecc_volatile_uncorrected=known(2), ecc_errors=ecc_errors(volatile_uncorrected_sram=2)))
    assert "7 corrected" in said("ecc", **on_gpu(3, ecc_volatile_corrected=known(7)))
    dealt_with = {**on_gpu(3, ecc_aggregate_uncorrected=known(5)), **before({"GPU-3": {"ecc_aggregate_uncorrected": 3}})}
    assert "2 before that, since the last check" in said("ecc", **dealt_with)
    worse = known({**LINKS, **{link: {"replay": 2, "crc_flit": 1} for link in "12345"}})
    known_before = {f"GPU-3/nvlink{link}": {"replay": 0, "crc_flit": 0} for link in range(18)}
    message = said("nvlink_errors", **on_gpu(3, nvlink_errors=worse), **before(known_before))
    assert "2 replays on link 1, 2 replays on link 2, 2 replays on link 3 and more on 2 others" in message


def test_a_gpu_without_a_uuid_has_no_history() -> None:
    nameless = {
        **on_gpu(3, uuid=absent, nvlink_errors=links(replay=900), pcie_replays=known(900)),
        **before({"GPU-3": {"pcie_replays": 0}}),
    }
    assert "first reading" in said("nvlink_errors", **nameless)
    assert "first reading" in said("pcie_replays", **nameless)


def test_a_clock_that_went_backwards_gives_no_rate() -> None:
    later = before({"GPU-3": {"pcie_replays": 0}, "GPU-3/nvlink5": {"crc_flit": 0}}, measured_at="2026-06-01T00:00:00Z")
    findings, verdict = judged(
        observation(**on_gpu(3, pcie_replays=known(10**6), nvlink_errors=links(crc_flit=10**6)), **later), active=False
    )
    assert verdict == "ready"
    assert not [finding for finding in findings if finding.status == "fail"]


def test_links_of_slices_are_not_said_to_be_down() -> None:
    unknown = {"name": known("NVIDIA X900"), "pci_device_id": known("3fff"), **MIG_ON}
    assert "MIG is on" in said("nvlink", **on_all(**unknown))
    assert "18 NVLinks, none up" in said(
        "nvlink",
        **on_all(**{**unknown, "mig_enabled": known(NO), "nvlinks": known(dict.fromkeys(map(str, range(18)), NO)), "fabric": absent}),
    )


def test_one_memory_without_errors_is_not_all_of_them() -> None:
    message = said("ecc", **on_all(ecc_volatile_uncorrected=absent, ecc_errors=known({"volatile_uncorrected_sram": 0})))
    assert "no uncorrected ECC error" not in message


def test_power_is_explained_by_who_set_it() -> None:
    assert "nvidia-smi -i 3 -pl 700" in said("power_limit", **on_gpu(3, power_limit_w=known(500.0), power_limit_enforced_w=known(500.0)))
    assert "not set on this node" in said("power_limit", **on_gpu(3, power_limit_enforced_w=known(500.0)))


def test_the_slots_limit_is_told() -> None:
    assert "the slot's; the GPU's is 5" in said("pcie_generation", **on_all(pcie_generation_max=known(4)))
