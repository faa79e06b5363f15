"""Each fault gives exactly its findings and its verdict; a healthy node gives none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.judge.checks import CHECKS, judge
from ansible_collections.gpu.fleet.plugins.module_utils.judge.matmul import by_table
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import Check
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Fabric, KernelModule, PciBus, RemappedRows, RetiredPages
from ansible_collections.gpu.fleet.plugins.module_utils.observation_probe import Bandwidth, HostCopies, Spread
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from unit.module_utils.healthy_node import (
    NO,
    TABLES,
    YES,
    absent,
    address,
    broken,
    judged,
    known,
    log,
    observation,
    pci_device,
    xid,
)
from unit.module_utils.healthy_probe import burn_in, collectives, cpu_probe, matmul, peers, probe, rank, ranks, samples


def bandwidth(gb_s: float, *, correct: bool = True) -> Any:
    return known(Bandwidth(gb_s, 0.4, 4 << 30, correct=correct))


NOT_STARTED = Reading.unreadable("NVML did not start: LIBRARY_NOT_FOUND")


def no_nvml(status: str) -> dict[str, Any]:
    return {"status": known(status), "driver_version": NOT_STARTED, "gpus": NOT_STARTED}


def on_gpu(index: int, **changes: Any) -> dict[str, Any]:
    return {"gpus": {index: changes}}


def on_all(**changes: Any) -> dict[str, Any]:
    return {"gpus": dict.fromkeys(range(8), changes)}


def bus(count: int) -> Any:
    return known(PciBus(tuple(pci_device(index) for index in range(count)), ()))


def measured(**of_rank_3: Any) -> Any:
    """Change what rank 3 measured."""
    return known(probe(ranks=ranks(**of_rank_3)))


def product(**changes: Any) -> Any:
    return measured(matmul=known(matmul(**changes)))


HOT = {"event_reasons": known({"0x4": 0.2, "0x20": 0.8, "0x40": 0.05}), "temperature_c": known(Spread(60.0, 87.0, 89.0))}
MEASURING = [check.name for check in CHECKS if check.active and check.name not in ("torch_version", "matmul_fp8")]


# What is changed on the healthy node, what the inventory expects, the findings that are neither pass nor skip
# (check, subject, status, action, kills_job), and the verdict.
Row = tuple[dict[str, Any], dict[str, Any], set[tuple[str, str, str, str, bool]], str]
GPU3 = address(3)
ROWS: dict[str, Row] = {
    "healthy": ({}, {}, set(), "ready"),
    "healthy, as the inventory says": (
        {},
        {
            "gpu_model": "H100 80GB HBM3",
            "gpu_count": 8,
            "driver_version": "570",
            "nvlink_links": 18,
            "pcie_width": 16,
            "torch_version": "2.7",
        },
        set(),
        "ready",
    ),
    # Driver
    "no library": (
        {"nvml": no_nvml("LIBRARY_NOT_FOUND")},
        {},
        {
            ("driver", "node1", "fail", "investigate", True),
            ("gpu_count", "node1", "error", "investigate", False),
            ("gpu_answers", "node1", "error", "investigate", False),
        },
        "not_ready",
    ),
    "module not loaded": (
        {"nvml": no_nvml("DRIVER_NOT_LOADED")},
        {},
        {
            ("driver", "node1", "fail", "investigate", True),
            ("gpu_count", "node1", "error", "investigate", False),
            ("gpu_answers", "node1", "error", "investigate", False),
        },
        "not_ready",
    ),
    "library of another version than the module": (
        {"nvml": no_nvml("LIB_RM_VERSION_MISMATCH")},
        {},
        {
            ("driver", "node1", "fail", "reboot", True),
            ("gpu_count", "node1", "error", "investigate", False),
            ("gpu_answers", "node1", "error", "investigate", False),
        },
        "not_ready",
    ),
    "NVML hangs": (
        {"nvml": {"status": broken, "driver_version": broken, "library_version": broken, "gpus": broken}},
        {},
        {
            ("driver", "node1", "error", "investigate", False),
            ("driver_library", "node1", "error", "investigate", False),
            ("gpu_count", "node1", "error", "investigate", False),
            ("gpu_answers", "node1", "error", "investigate", False),
        },
        "unknown",
    ),
    "NVML fails in its own way": (
        {"nvml": no_nvml("ERROR_77")},
        {},
        {
            ("driver", "node1", "error", "investigate", False),
            ("gpu_count", "node1", "error", "investigate", False),
            ("gpu_answers", "node1", "error", "investigate", False),
        },
        "unknown",
    ),
    "another driver branch": ({}, {"driver_version": "550"}, {("driver_version", "node1", "fail", "investigate", False)}, "degraded"),
    "a branch is no prefix of digits": (
        {},
        {"driver_version": "570.1"},
        {("driver_version", "node1", "fail", "investigate", False)},
        "degraded",
    ),
    "library file of another version": (
        {"nvml": {"library_version": known("570.99.01")}},
        {},
        {("driver_library", "node1", "fail", "reboot", True)},
        "not_ready",
    ),
    "library file without a version": ({"nvml": {"library_version": absent}}, {}, set(), "ready"),
    "kernel module of the same version": (
        {"kernel_module": known(KernelModule("570.124.06", "open"))},
        {"kernel_module": False},
        set(),
        "ready",
    ),
    "kernel module of another version": (
        {"kernel_module": known(KernelModule("570.99.01", "open"))},
        {"kernel_module": False},
        {("kernel_module", "node1", "fail", "reboot", True)},
        "not_ready",
    ),
    "no kernel module where one must be": (
        {},
        {"kernel_module": True},
        {("kernel_module", "node1", "fail", "investigate", True)},
        "not_ready",
    ),
    "kernel module not readable": ({"kernel_module": broken}, {}, {("kernel_module", "node1", "error", "investigate", False)}, "unknown"),
    # Count and identity
    "one GPU fewer on the bus than the inventory says": (
        {"pci": bus(7), "gpus": {7: None}, "device_nodes": known(tuple(range(7))), "probe": known(probe(gpus_seen=7))},
        {"gpu_count": 8},
        {("gpu_count", "node1", "fail", "investigate", True)},
        "not_ready",
    ),
    "one GPU more than the inventory says": ({}, {"gpu_count": 7}, {("gpu_count", "node1", "fail", "investigate", False)}, "degraded"),
    "NVML lacks one that the bus has": (
        {"gpus": {3: None}, "probe": known(probe(gpus_seen=7))},
        {},
        {("gpu_count", GPU3, "fail", "reboot", True), ("device_nodes", "node1", "fail", "investigate", False)},
        "not_ready",
    ),
    "bus not readable": ({"pci": broken}, {}, {("gpu_count", "node1", "error", "investigate", False)}, "unknown"),
    "bus empty though NVML shows GPUs": (
        {"pci": bus(0)},
        {},
        {("gpu_count", "node1", "fail", "investigate", True), ("gpu_count", "node1", "error", "investigate", False)},
        "not_ready",
    ),
    "bus shows fewer than NVML": ({"pci": bus(6)}, {}, {("gpu_count", "node1", "error", "investigate", False)}, "unknown"),
    "no GPU, as the inventory says": (
        {"pci": bus(0), "nvml": no_nvml("LIBRARY_NOT_FOUND"), "device_nodes": known(())},
        {"gpu_count": 0},
        set(),
        "ready",
    ),
    "GPU lost": (
        on_gpu(3, state=known("lost"), pci_bus_id=broken, name=broken, temperature_c=broken, ecc_enabled=broken),
        {},
        {("gpu_answers", GPU3, "fail", "reboot", True)},
        "not_ready",
    ),
    "GPU lost after it told of a memory error": (
        on_gpu(3, state=known("lost"), ecc_volatile_uncorrected=known(2), temperature_c=broken),
        {},
        {("gpu_answers", GPU3, "fail", "reboot", True), ("ecc", GPU3, "fail", "reset_gpu", True)},
        "not_ready",
    ),
    "GPU gives no handle": (
        on_gpu(3, state=known("no handle: Unknown Error"), pci_bus_id=broken),
        {},
        {("gpu_answers", GPU3, "fail", "reboot", True)},
        "not_ready",
    ),
    "GPU hangs": (on_gpu(3, state=broken, temperature_c=broken), {}, {("gpu_answers", GPU3, "error", "investigate", False)}, "unknown"),
    "another model than the inventory says": (
        {},
        {"gpu_model": "H200"},
        {("gpu_model", address(index), "fail", "investigate", False) for index in range(8)},
        "degraded",
    ),
    "one of another model": (
        on_gpu(3, name=known("NVIDIA H100 PCIe")),
        {},
        {("gpu_model", GPU3, "fail", "investigate", False)},
        "degraded",
    ),
    "model not told": (on_gpu(3, name=absent), {}, {("gpu_model", GPU3, "error", "investigate", False)}, "unknown"),
    "device node missing": (
        {"device_nodes": known((0, 1, 2, 4, 5, 6, 7))},
        {},
        {("device_nodes", GPU3, "fail", "investigate", True)},
        "not_ready",
    ),
    "device nodes not readable": ({"device_nodes": broken}, {}, {("device_nodes", "node1", "error", "investigate", False)}, "unknown"),
    # Memory
    "uncorrected memory errors": (
        on_gpu(3, ecc_volatile_uncorrected=known(1)),
        {},
        {("ecc", GPU3, "fail", "reset_gpu", True)},
        "not_ready",
    ),
    "memory errors of former times": (on_gpu(3, ecc_aggregate_uncorrected=known(9)), {}, set(), "ready"),
    "ECC switched off": (on_all(ecc_enabled=known(NO), ecc_volatile_uncorrected=absent), {}, set(), "ready"),
    "ECC not readable": (on_gpu(3, ecc_volatile_uncorrected=broken), {}, {("ecc", GPU3, "error", "investigate", False)}, "unknown"),
    "row waits to be remapped": (
        on_gpu(3, remapped_rows=known(RemappedRows(0, 1, pending=True, failure=False))),
        {},
        {("row_remapping", GPU3, "fail", "reset_gpu", False)},
        "degraded",
    ),
    "row cannot be remapped": (
        on_gpu(3, remapped_rows=known(RemappedRows(0, 8, pending=True, failure=True))),
        {},
        {("row_remapping", GPU3, "fail", "replace", True)},
        "not_ready",
    ),
    "page waits to be retired": (
        on_gpu(3, retired_pages=known(RetiredPages(1, 0, pending=True))),
        {},
        {("retired_pages", GPU3, "fail", "reset_gpu", True)},
        "not_ready",
    ),
    "pages used up": (
        on_gpu(3, retired_pages=known(RetiredPages(58, 2, pending=False))),
        {},
        {("retired_pages", GPU3, "fail", "replace", True)},
        "not_ready",
    ),
    "some pages retired": (on_gpu(3, retired_pages=known(RetiredPages(2, 1, pending=False))), {}, set(), "ready"),
    **{
        f"recovery action {number}": (
            on_gpu(3, recovery_action=known(number)),
            {},
            {("recovery_action", GPU3, "fail", action, True)},
            "not_ready",
        )
        for number, action in {
            1: "reset_gpu",
            2: "reboot",
            3: "restart_app",
            4: "reset_gpu",
            5: "investigate",
            6: "reset_gpu",
            7: "reboot",
            99: "investigate",
        }.items()
    },
    # NVLink
    "one NVLink down": (
        on_gpu(3, nvlinks=known({**{str(link): True for link in range(17)}, "17": False})),
        {},
        {("nvlink", GPU3, "fail", "reset_gpu", True)},
        "not_ready",
    ),
    "no NVLink shown at all": (on_gpu(3, nvlinks=known({})), {}, {("nvlink", GPU3, "fail", "reset_gpu", True)}, "not_ready"),
    "NVLinks not readable": (on_gpu(3, nvlinks=broken), {}, {("nvlink", GPU3, "error", "investigate", False)}, "unknown"),
    "fabric not started": (
        on_gpu(3, fabric=known(Fabric(1, 0, 0))),
        {},
        {("fabric", GPU3, "fail", "investigate", True)},
        "not_ready",
    ),
    "fabric completed with an error": (
        on_gpu(3, fabric=known(Fabric(3, 15, 0))),
        {},
        {("fabric", GPU3, "fail", "investigate", True)},
        "not_ready",
    ),
    "fabric healthy by its mask": (on_gpu(3, fabric=known(Fabric(3, 0, 0b01_10_10_10_10))), {}, set(), "ready"),
    "fabric with degraded bandwidth": (
        on_gpu(3, fabric=known(Fabric(3, 0, 0b10_10_10_01))),
        {},
        {("fabric", GPU3, "fail", "investigate", False)},
        "degraded",
    ),
    "fabric with an unhealthy route": (
        on_gpu(3, fabric=known(Fabric(3, 0, 0b10_01_10_10))),
        {},
        {("fabric", GPU3, "fail", "investigate", True)},
        "not_ready",
    ),
    "fabric configured wrongly": (
        on_gpu(3, fabric=known(Fabric(3, 0, 5 << 8))),
        {},
        {("fabric", GPU3, "fail", "investigate", False)},
        "degraded",
    ),
    # PCIe, clocks, temperature, persistence
    "PCIe at half its width": (on_gpu(3, pcie_width=known(8)), {}, {("pcie_width", GPU3, "fail", "investigate", False)}, "degraded"),
    "PCIe in a narrow slot": (on_gpu(3, pcie_width=known(8), pcie_width_max=known(8)), {}, set(), "ready"),
    "PCIe in a narrow slot that the inventory forbids": (
        on_gpu(3, pcie_width=known(8), pcie_width_max=known(8)),
        {"pcie_width": 16},
        {("pcie_width", GPU3, "fail", "investigate", False)},
        "degraded",
    ),
    "PCIe width by the kernel where NVML has none": (on_all(pcie_width=absent, pcie_width_max=absent), {}, set(), "ready"),
    "clocks held down by heat": (
        on_gpu(3, clock_event_reasons=known(0x40)),
        {},
        {("clocks", GPU3, "fail", "investigate", False)},
        "degraded",
    ),
    "clocks held down by the power cap": (on_gpu(3, clock_event_reasons=known(0x4)), {}, set(), "ready"),
    "hot": (on_gpu(3, temperature_c=known(85)), {}, {("temperature", GPU3, "fail", "investigate", False)}, "degraded"),
    "hotter than the inventory allows": (
        on_gpu(3, temperature_c=known(61)),
        {"temperature_max": 60},
        {("temperature", GPU3, "fail", "investigate", False)},
        "degraded",
    ),
    "hot by its margin": (
        on_gpu(3, temperature_slowdown_c=absent, temperature_margin_c=known(4)),
        {},
        {("temperature", GPU3, "fail", "investigate", False)},
        "degraded",
    ),
    "no limit of temperature known": (on_all(temperature_slowdown_c=absent, temperature_margin_c=absent), {}, set(), "ready"),
    "threshold not readable": (
        on_gpu(3, temperature_slowdown_c=broken),
        {},
        {("temperature", GPU3, "error", "investigate", False)},
        "unknown",
    ),
    "persistence mode off": (
        on_gpu(3, persistence_mode=known(NO)),
        {},
        {("persistence", GPU3, "fail", "investigate", False)},
        "degraded",
    ),
    "persistence mode off, and it may": (on_all(persistence_mode=known(NO)), {"persistence_mode": False}, set(), "ready"),
    "persistence mode not readable": (on_gpu(3, persistence_mode=broken), {}, set(), "ready"),
    # Xid
    "fallen off the bus": ({"kernel_log": known(log(xid(79)))}, {}, {("xid", GPU3, "fail", "reboot", True)}, "not_ready"),
    "kernel log not readable": ({"kernel_log": broken}, {}, {("xid", "node1", "error", "investigate", False)}, "unknown"),
    "line not understood": (
        {"kernel_log": known(log(not_understood=("NVRM: Xid in a new form",)))},
        {},
        {("xid", "node1", "error", "investigate", False)},
        "unknown",
    ),
    "fatal error of a switch": (
        {"kernel_log": known(log(xid(20034, "LTSSM Fault Up", severity="fatal", source="sxid")))},
        {},
        {("xid", GPU3, "fail", "reset_gpu", True)},
        "not_ready",
    ),
    "error of a switch without severity": (
        {"kernel_log": known(log(xid(20034, source="sxid")))},
        {},
        {("xid", GPU3, "fail", "reset_gpu", True)},
        "not_ready",
    ),
    "harmless error of a switch": ({"kernel_log": known(log(xid(12028, severity="non-fatal", source="sxid")))}, {}, set(), "ready"),
    # Probe
    "probe not run": (
        {"probe": broken},
        {},
        {(check, "node1", "error", "investigate", False) for check in MEASURING},
        "unknown",
    ),
    "image cannot use the GPUs": ({"probe": known(cpu_probe())}, {}, {("probe", "node1", "fail", "investigate", True)}, "not_ready"),
    "probe on the CPU, as the inventory says": ({"probe": known(cpu_probe())}, {"probe_device": "cpu"}, set(), "ready"),
    "PyTorch sees a GPU fewer": ({"probe": known(probe(gpus_seen=7))}, {}, {("probe", "node1", "fail", "investigate", True)}, "not_ready"),
    "PyTorch sees one slice of all GPUs": (
        {
            "gpus": {index: {"mig_enabled": known(YES), "mig_pending": known(YES), "mig_devices": known(7)} for index in range(8)},
            "probe": known(probe(gpus_seen=1, ranks=ranks()[:1], peers=absent, collectives=absent)),
        },
        {},
        set(),
        "ready",
    ),
    "another PyTorch": ({}, {"torch_version": "2.6"}, {("torch_version", "node1", "fail", "investigate", False)}, "degraded"),
    "slow GPU": ({"probe": product(tflops=700.0)}, {}, {("matmul", GPU3, "fail", "investigate", False)}, "degraded"),
    "slow GPU, by lower gates": ({"probe": product(tflops=700.0)}, {"gate_fraction": 0.8, "straggler_percent": 12}, set(), "ready"),
    "a straggler": ({"probe": product(tflops=735.0)}, {}, {("matmul", GPU3, "fail", "investigate", False)}, "degraded"),
    "a straggler, by a lower gate": ({"probe": product(tflops=735.0)}, {"straggler_percent": 6}, set(), "ready"),
    "a straggler in fp8": (
        {"probe": measured(matmul_fp8=known(matmul(tflops=1200.0, dtype="fp8")))},
        {},
        {("matmul_fp8", GPU3, "fail", "investigate", False)},
        "degraded",
    ),
    "fp8 that this PyTorch cannot do": ({"probe": measured(matmul_fp8=broken)}, {}, set(), "ready"),
    "GPU computes wrong": (
        {"probe": product(correct=False, worst_error=3.0)},
        {},
        {("matmul", GPU3, "fail", "replace", True)},
        "not_ready",
    ),
    "GPU computes wrong in fp8 only": (
        {"probe": measured(matmul_fp8=known(matmul(correct=False, dtype="fp8")))},
        {},
        {("matmul_fp8", GPU3, "fail", "replace", True)},
        "not_ready",
    ),
    "GPU gave no product": (
        {"probe": known(probe(ranks=ranks(matmul=broken), collectives=broken))},
        {},
        {("matmul", GPU3, "error", "investigate", False)}
        | {(check, "node1", "error", "investigate", False) for check in ("allreduce", "reduce_scatter", "all_gather")},
        "unknown",
    ),
    "clocks held down by heat under load, and still fast enough": (
        {"probe": known(probe(sampled=samples(**HOT)))},
        {},
        {("clocks_under_load", GPU3, "fail", "investigate", False)},
        "degraded",
    ),
    "nothing sampled": (
        {"probe": known(probe(sampled=broken))},
        {},
        {("clocks_under_load", address(index), "error", "investigate", False) for index in range(8)},
        "unknown",
    ),
    "slow memory, by its peak": (
        {"probe": known(probe(ranks=tuple(rank(index, memory=bandwidth(2300.0)) for index in range(8))))},
        {},
        {("memory_bandwidth", address(index), "fail", "investigate", False) for index in range(8)},
        "degraded",
    ),
    "slow memory, by the others'": (
        {"probe": measured(memory=bandwidth(2800.0))},
        {},
        {("memory_bandwidth", GPU3, "fail", "investigate", False)},
        "degraded",
    ),
    "memory that keeps something else": (
        {"probe": measured(memory=bandwidth(2990.0, correct=False))},
        {},
        {("memory_bandwidth", GPU3, "fail", "replace", True)},
        "not_ready",
    ),
    "a link to the host at half its speed": (
        {"probe": measured(host=known(HostCopies(26.5, 52.0, 128 << 20, 0, correct=True)))},
        {},
        {("host_to_device", GPU3, "fail", "investigate", False)},
        "degraded",
    ),
    "a link to the host that changes data": (
        {"probe": measured(host=known(HostCopies(54.0, 52.0, 128 << 20, 0, correct=False)))},
        {},
        {(check, GPU3, "fail", "investigate", True) for check in ("host_to_device", "device_to_host")},
        "not_ready",
    ),
    "a link that is slow under load only": (
        {"probe": known(probe(sampled=samples(pcie_generation=known(Spread(1.0, 3.0, 4.0)))))},
        {},
        {("pcie_generation", GPU3, "fail", "investigate", False)},
        "degraded",
    ),
    "a slow way between two GPUs": (
        {"probe": known(probe(peers=peers(gb_s=240.0)))},
        {},
        {("peer_copies", f"{GPU3} -> {address(5)}", "fail", "investigate", False)},
        "degraded",
    ),
    "a way between two GPUs that changes data": (
        {"probe": known(probe(peers=peers(correct=False)))},
        {},
        {("peer_copies", f"{GPU3} -> {address(5)}", "fail", "investigate", True)},
        "not_ready",
    ),
    "slow all-reduce": (
        {"probe": known(probe(collectives=collectives(busbw_gb_s=380.0)))},
        {},
        {("allreduce", "node1", "fail", "investigate", False)},
        "degraded",
    ),
    "all-reduce of another number of GPUs has no gate": (
        {"probe": known(probe(collectives=collectives(busbw_gb_s=38.0, ranks=4)))},
        {},
        set(),
        "ready",
    ),
    "all-reduce of a small size has no gate": (
        {"probe": known(probe(collectives=collectives(busbw_gb_s=380.0, bytes=64 << 20)))},
        {},
        set(),
        "ready",
    ),
    "wrong sum": (
        {"probe": known(probe(collectives=collectives(correct=False)))},
        {},
        {("allreduce", "node1", "fail", "investigate", True)},
        "not_ready",
    ),
    "a whole burn-in": ({"probe": known(probe(burn_in=burn_in()))}, {}, set(), "ready"),
    "a burn-in in which a GPU slowed down": (
        {"probe": known(probe(burn_in=burn_in(tflops=known(Spread(730.0, 775.0, 781.0)))))},
        {},
        {("burn_in", GPU3, "fail", "investigate", False)},
        "degraded",
    ),
    "a burn-in in which a GPU computed wrong": (
        {"probe": known(probe(burn_in=burn_in(wrong=1)))},
        {},
        {("burn_in", GPU3, "fail", "replace", True)},
        "not_ready",
    ),
    "a burn-in in which a GPU gave up": (
        {"probe": known(probe(burn_in=burn_in(missing="no answer in time: it hangs")))},
        {},
        {("burn_in", GPU3, "error", "investigate", False)},
        "unknown",
    ),
    "a burn-in with wrong sums": (
        {"probe": known(probe(burn_in=known(replace(burn_in().value, allreduce_wrong=2))))},
        {},
        {("burn_in", "node1", "fail", "investigate", True)},
        "not_ready",
    ),
    "a burn-in that was stopped": (
        {"probe": known(probe(burn_in=known(replace(burn_in().value, done_s=1200.0))))},
        {},
        {("burn_in", "node1", "error", "investigate", False)},
        "unknown",
    ),
    "a probe that was stopped": (
        {"probe": known(probe(stopped="stopped by SIGTERM"))},
        {},
        {("probe", "node1", "error", "investigate", False)},
        "unknown",
    ),
}


@pytest.mark.parametrize(("changes", "expectation", "expected", "expected_verdict"), ROWS.values(), ids=ROWS)
def test_a_fault_gives_exactly_its_findings(changes: Any, expectation: Any, expected: Any, expected_verdict: str) -> None:
    findings, verdict = judged(observation(**changes), expectation)
    seen = {
        (finding.check, finding.subject.id, finding.status, finding.action, finding.kills_job)
        for finding in findings
        if finding.status in ("fail", "error")
    }
    assert seen == expected
    assert verdict == expected_verdict
    assert {finding.check for finding in findings} == {check.name for check in CHECKS}
    assert all(finding.message for finding in findings)


@pytest.mark.parametrize(
    ("code", "text", "status", "action", "kills"),
    [
        (13, "Graphics Exception", "pass", "none", False),
        (31, "MMU fault", "pass", "none", False),
        (43, "", "pass", "none", False),
        (45, "", "pass", "none", False),
        (63, "Row Remapper: New row marked for remapping", "pass", "none", False),
        (94, "Contained ECC error", "pass", "none", False),
        (39, "CE0", "fail", "restart_app", False),
        (48, "DBE", "fail", "reset_gpu", True),
        (64, "", "fail", "reset_gpu", True),
        (74, "NVLink", "fail", "reset_gpu", True),
        (79, "GPU has fallen off the bus.", "fail", "reboot", True),
        (95, "Uncontained ECC error", "fail", "reset_gpu", True),
        (119, "Timeout after 6s of waiting for RPC response", "fail", "reset_gpu", True),
        (145, "", "fail", "investigate", False),
        (154, "GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)", "fail", "reset_gpu", True),
        (154, "GPU recovery action changed from 0x0 (None) to 0x2 (Node Reboot Required)", "fail", "reboot", True),
        (154, "GPU recovery action changed from 0x0 (None) to 0x3 (Drain P2P)", "fail", "restart_app", True),
        (154, "GPU recovery action changed from 0x0 (None) to 0x4 (Drain and Reset)", "fail", "reset_gpu", True),
        (154, "GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)", "pass", "none", False),
        (154, "something new", "fail", "investigate", False),
        (163, "", "fail", "investigate", False),
        (9999, "", "fail", "investigate", False),
    ],
)
def test_an_xid_means_what_the_catalogue_says(code: int, text: str, status: str, action: str, kills: bool) -> None:  # noqa: FBT001
    findings, _verdict = judged(observation(kernel_log=known(log(xid(code, text)))))
    found = next(finding for finding in findings if finding.check == "xid")
    assert (found.status, found.action, found.kills_job) == (status, action, kills)
    assert str(code) in found.message


def test_an_xid_names_its_gpu() -> None:
    findings, _verdict = judged(observation(kernel_log=known(log(xid(79, index=5)))))
    assert [finding.subject.to_plain() for finding in findings if finding.check == "xid"] == [{"kind": "gpu", "id": address(5), "index": 5}]


def test_good_gpus_are_one_finding_and_measured_ones_are_each() -> None:
    findings, _verdict = judged(observation())
    counts = {check.name: sum(finding.check == check.name for finding in findings) for check in CHECKS}
    of_each = {"temperature", "matmul", "matmul_fp8", "clocks_under_load", "memory_bandwidth", "host_to_device", "device_to_host"}
    assert {name for name, count in counts.items() if count == 8} == of_each
    assert {count for name, count in counts.items() if name not in of_each} == {1}
    measured = next(finding for finding in findings if finding.check == "matmul")
    assert measured.observed == {"value": 780.0, "unit": "TFLOP/s"}
    assert measured.expected == {"minimum": pytest.approx(741), "unit": "TFLOP/s"}  # the stricter: 0.75 of the table's 794 is less
    assert "5 % below 780, the median of this node's 8 GPUs" in str(measured.source)
    alone, _verdict = judged(observation(), {"straggler_percent": 30})
    first = next(finding for finding in alone if finding.check == "matmul")
    assert first.expected == {"minimum": 593.1, "unit": "TFLOP/s"}
    assert "0.75 of 794, the best in short bursts: gpu_reference.csv, H100 80GB HBM3" in str(first.source)


def test_a_model_of_which_no_measured_figure_is_known_is_held_against_its_peak() -> None:
    row = TABLES.gpu_named("NVIDIA L40S")
    assert row is not None
    gate, why = by_table(row, 0.9)
    assert gate.minimum == pytest.approx(0.3 * 362)
    assert gate.source.startswith("0.3 of the peak 362")
    assert why == "no measured figure for this model is known"


def test_a_cpu_figure_never_pretends_to_be_a_gpus() -> None:
    findings, _verdict = judged(observation(probe=known(cpu_probe())), {"probe_device": "cpu"})
    for finding in findings:
        if finding.check in MEASURING and finding.status != "skip":
            assert "CPU, gloo: proves the path, not the GPUs" in finding.message
            assert finding.expected is None or finding.check == "probe"


def told(check: str, **changes: Any) -> str:
    findings, _verdict = judged(observation(**changes))
    return next(finding.message for finding in findings if finding.check == check and finding.status == "fail")


def test_slow_because_hot_is_another_thing_than_slow_without_a_cause() -> None:
    slow = ranks(matmul=known(matmul(tflops=600.0)))
    calm = told("matmul", probe=known(probe(ranks=slow)))
    assert "600 TFLOP/s (bf16, 8192^3, spread 1 %), at 1755 MHz (1700 to 1980), 695 W (640 to 700), 63 °C (48 to 66)" in calm
    assert "nothing that NVML tells explains it" in calm
    hot = told("matmul", probe=known(probe(ranks=slow, sampled=samples(**HOT))))
    assert "87 °C (60 to 89), software thermal slowdown in 80% of the time" in hot
    assert "software thermal slowdown explains it: look at cooling" in hot
    power = told("matmul", probe=known(probe(ranks=slow, sampled=samples(event_reasons=known({"0x80": 0.5})))))
    assert "power brake explains it: look at the power supplies" in power


def test_pairs_without_switches_are_held_against_their_other_way() -> None:
    """As on a machine without NVSwitches, where some pairs are far apart: that is no fault, and one way that is slow is."""
    apart = {"gpus": {index: {"fabric": absent} for index in range(8)}}
    slow = [replace(copy, gb_s=20.0) if {copy.source, copy.target} == {0, 7} else copy for copy in peers().value]
    findings, verdict = judged(observation(**apart, probe=known(probe(peers=known(tuple(slow))))))
    assert verdict == "ready"
    assert "0.5 of the other way's 20" in str(next(finding.source for finding in findings if finding.check == "peer_copies"))
    one_way = [replace(copy, gb_s=8.0) if (copy.source, copy.target) == (7, 0) else copy for copy in slow]
    findings, verdict = judged(observation(**apart, probe=known(probe(peers=known(tuple(one_way))))))
    failed = [finding.subject.to_plain() for finding in findings if finding.status == "fail"]
    assert failed == [{"kind": "pair", "id": f"{address(7)} -> {address(0)}"}]


@pytest.mark.parametrize("number", [-9, -1, 8, 9])
def test_a_number_that_no_gpu_has_is_nobodys(number: int) -> None:
    copies = [replace(copy, source=number, correct=False) if (copy.source, copy.target) == (3, 5) else copy for copy in peers().value]
    of_nobody = [*ranks()[:3], replace(rank(3), rank=number, uuid="", matmul=known(matmul(tflops=1.0))), *ranks()[4:]]
    findings, verdict = judged(observation(probe=known(probe(ranks=tuple(of_nobody), peers=known(tuple(copies))))))
    failed = {finding.check: finding.subject.id for finding in findings if finding.status == "fail"}
    assert failed == {"peer_copies": f"CUDA device {number} -> {address(5)}", "matmul": f"CUDA device {number}"}
    assert verdict == "not_ready"


def test_a_slice_of_a_gpu_is_not_held_against_a_whole_ones_figures() -> None:
    findings, _verdict = judged(observation(gpus={3: {"mig_enabled": known(YES)}}, probe=measured(memory=bandwidth(2900.0))))
    (found,) = (finding for finding in findings if finding.check == "memory_bandwidth" and finding.subject.id == GPU3)
    assert "partitioned (MIG)" in str(found.source)
    assert found.expected == {"minimum": pytest.approx(2840), "unit": "GB/s"}  # by its peers alone


def test_an_unknown_gpu_is_judged_by_its_peers() -> None:
    unknown = {"name": known("NVIDIA X1"), "pci_device_id": known("ffff"), "nvlinks": known({str(link): True for link in range(24)})}
    changes = {"gpus": {index: dict(unknown) for index in range(8)}}
    findings, verdict = judged(observation(**changes))
    assert verdict == "ready"
    assert "median of this node's 8 GPUs" in str(next(finding.source for finding in findings if finding.check == "matmul"))
    changes["gpus"][3]["nvlinks"] = known({str(link): link > 0 for link in range(24)})
    findings, verdict = judged(observation(**changes, probe=product(tflops=600.0)))
    assert {(finding.check, finding.subject.id) for finding in findings if finding.status == "fail"} == {("nvlink", GPU3), ("matmul", GPU3)}
    assert verdict == "not_ready"


def test_a_gpu_alone_has_nobody_to_be_linked_with() -> None:
    one = observation(
        gpus=dict.fromkeys(range(1, 8)),
        pci=bus(1),
        device_nodes=known((0,)),
        probe=known(probe(gpus_seen=1, ranks=probe().ranks[:1], peers=absent, collectives=absent)),
    )
    findings, verdict = judged(one)
    assert verdict == "ready"
    assert {finding.check: finding.status for finding in findings}["nvlink"] == "skip"
    findings, verdict = judged(one, {"nvlink_links": 12})
    assert verdict == "not_ready"


def test_a_check_that_breaks_or_says_nothing_is_an_error() -> None:
    def breaks(*_arguments: Any) -> Any:
        raise KeyError("x")

    checks = (Check("breaks", breaks, required=False), Check("silent", lambda *_arguments: []))
    findings = judge(observation(), Expectation(), TABLES, active=False, checks=checks)
    assert [(finding.check, finding.status) for finding in findings] == [("breaks", "error"), ("silent", "error")]


def test_the_passive_level_leaves_the_probe_out() -> None:
    findings, verdict = judged(observation(probe=Reading.unsupported("not asked for")), active=False)
    assert verdict == "ready"
    assert {finding.check for finding in findings} == {check.name for check in CHECKS if not check.active}
