"""The machine around the GPUs: each fault gives exactly its findings; what is healthy, of any kind, gives none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.observation import KernelModule, PciBus
from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import (
    Clock,
    HugePages,
    Limits,
    PciTopology,
    PendingReboot,
)
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from unit.module_utils.healthy_node import gpu, judged, known, observation, pci_device, snapshot
from unit.module_utils.healthy_system import (
    COUNTERS,
    DRIVER,
    NO,
    YES,
    adapter,
    cdi_spec,
    endpoint,
    engine,
    file_system,
    port,
    topology,
)

NONE: Reading[Any] = Reading.unsupported("not on this node")
HIDDEN: Reading[Any] = Reading.unreadable("only root may")
A100, GEFORCE = "NVIDIA A100-PCIE-40GB", "NVIDIA GeForce RTX 4090"
UNSYNCHRONISED = known(Clock(synchronised=False, largest_error_us=16_000_000))
PCIE_ONLY = {"nvlinks": NONE, "fabric": NONE}
SWITCHES = known(PciBus(tuple(pci_device(index) for index in range(8)), tuple(pci_device(index) for index in range(4))))
DOWN = {"state": known("DOWN"), "physical_state": known("Polling")}
ETHERNET = {"link_layer": known("Ethernet"), "rate": known("100 Gb/sec (4X EDR)"), "enabled": known(YES)}

# What is changed in the machine, and in the rest; what the inventory expects; the findings that are bad, and the verdict.
Row = tuple[dict[str, Any], dict[str, Any], dict[str, Any], set[tuple[str, str, str, bool]], str]


def row(system: dict[str, Any], *findings: tuple[str, str, str, bool], verdict: str, wanted: Any = None, **rest: Any) -> Row:
    return system, rest, wanted or {}, set(findings), verdict


def ports(*changed: Any) -> Any:
    """Four adapters, of which the last ones have these ports."""
    return known(
        tuple(adapter(index) for index in range(4 - len(changed)))
        + tuple(adapter(4 - len(changed) + at, each) for at, each in enumerate(changed))
    )


def counting(**counters: int) -> Any:
    return ports(port(counters=known({**COUNTERS, **counters})))


BEFORE = known(snapshot(counters={f"mlx5_{index}/1": dict(COUNTERS) for index in range(4)}))

HEALTHY: dict[str, Row] = {
    "the healthy machine": row({}, verdict="ready"),
    "as the inventory says": row(
        {"limits": known(Limits("containerd", -1, 1048576))},
        verdict="ready",
        wanted={
            "cpu_count": 224,
            "memory_gib": 2048,
            "hugepages": 0,
            "memlock_unlimited": True,
            "nofile": 65536,
            "shm_gib": 512,
            "image_store_free_gib": 100,
            "container_runtime": True,
            "infiniband_ports": 4,
            "infiniband_rate_gb_s": 400,
            "gpudirect_rdma": True,
        },
    ),
    "no adapters, no engine": row(
        {"adapters": NONE, "container_engine": NONE, "cdi": NONE, "image_stores": NONE, "peer_memory": NONE}, verdict="ready"
    ),
    "a virtual machine without a time daemon": row(
        {"virtual_machine": known(YES), "clock": UNSYNCHRONISED, "daemons": known({}), "pci_topology": known(topology(0x1D, "DMA-FQ"))},
        verdict="ready",
    ),
    "an Arm machine": row(
        {
            "virtual_machine": NONE,
            "processor": NONE,
            "clock": UNSYNCHRONISED,
            "daemons": known({}),
            "pci_topology": known(topology(0x1D, "DMA")),
        },
        verdict="ready",
    ),
    "a container": row(
        {
            "sees_all_processes": known(NO),
            "daemons": known({}),
            "clock": UNSYNCHRONISED,
            "shared_memory": known(file_system("/dev/shm", size_mib=64, available_mib=0)),
            "container_engine": NONE,
            "cdi": NONE,
            "image_stores": NONE,
        },
        verdict="ready",
        pci=SWITCHES,
    ),
    "without root": row(
        {
            "container_engine": known(engine(answer="forbidden", complaint="permission denied", version="", runtimes=(), cdi_folders=())),
            "clock": HIDDEN,
            "daemons": HIDDEN,
            "limits": HIDDEN,
            "pci_topology": known(topology(bridges=tuple(replace(bridge, port_type=HIDDEN, acs=HIDDEN) for bridge in topology().bridges))),
        },
        verdict="ready",
    ),
    "chronyd without rtcsync": row({"clock": known(Clock(synchronised=False, largest_error_us=900))}, verdict="ready"),
    "just started": row({"clock": UNSYNCHRONISED, "uptime_s": known(60.0)}, verdict="ready"),
    "an adapter without cables, one switched off": row(
        {
            "adapters": ports(
                port(**DOWN), port(**{**ETHERNET, **DOWN, "enabled": known(NO), "counters": known({**COUNTERS, "link_downed": 3})})
            )
        },
        verdict="ready",
    ),
    "plain Ethernet and no peer memory": row(
        {"adapters": ports(*(port(**ETHERNET) for _each in range(4))), "peer_memory": NONE},
        verdict="ready",
        kernel_module=known(KernelModule(DRIVER, "proprietary")),
    ),
    "dma-buf": row({"peer_memory": NONE}, verdict="ready", kernel_module=known(KernelModule(DRIVER, "open"))),
    "another firmware on another board": row(
        {"adapters": known((adapter(0), adapter(1, board=known("MT_2190110032"), firmware=known("22.39.1002"))))}, verdict="ready"
    ),
    "half a link by design (HDR100)": row({"adapters": ports(port(rate=known("100 Gb/sec (2X HDR)")))}, verdict="ready"),
    "as many symbol errors as the specification allows at 400 Gb/s": row(
        {"adapters": counting(symbol_error=1440)}, verdict="ready", previous=BEFORE
    ),
    "a few symbol errors": row({"adapters": counting(symbol_error=9)}, verdict="ready", previous=BEFORE),
    "no history of the counters yet": row({"adapters": counting(link_downed=7, symbol_error=10**6)}, verdict="ready"),
    "counters of another boot": row(
        {"adapters": counting(link_downed=7)}, verdict="ready", previous=known(replace(BEFORE.value, boot_id="before"))
    ),
    "GeForce GPUs behind an IOMMU": row(
        {"adapters": NONE, "pci_topology": known(topology(0x1D, "DMA-FQ"))},
        verdict="ready",
        gpus={index: {**PCIE_ONLY, "name": known(GEFORCE), "pci_device_id": known("2684")} for index in range(8)},
    ),
    "GPUs with NVLinks and no adapters, behind an IOMMU": row(
        {"adapters": NONE, "pci_topology": known(topology(0x1D, "DMA-FQ"))}, verdict="ready"
    ),
    "an IOMMU that passes through": row({"pci_topology": known(topology(0, "identity"))}, verdict="ready"),
    "access control that lets translated addresses through": row({"pci_topology": known(topology(0x5D))}, verdict="ready"),
    "the inventory needs no peer to peer": row(
        {"pci_topology": known(topology(0x1D, "DMA"))}, verdict="ready", wanted={"peer_to_peer": False}
    ),
    "an engine that is switched off": row(
        {"container_engine": known(engine(answer="not running", complaint="Cannot connect", enabled=False, cdi_folders=()))},
        verdict="ready",
    ),
    "an engine without GPUs, for other things": row(
        {"container_engine": known(engine(runtimes=("runc",), cdi_folders=())), "cdi": NONE}, verdict="ready"
    ),
    "an old specification that a newer folder replaces": row(
        {"cdi": known((cdi_spec(driver_versions=("535.1",), missing=("/usr/lib/x",)), cdi_spec(path="/var/run/cdi/nvidia.yaml")))},
        verdict="ready",
    ),
    "an old specification that the engine does not use": row(
        {"container_engine": known(engine(cdi_folders=())), "cdi": known((cdi_spec(driver_versions=("535.1",)),))}, verdict="ready"
    ),
    "the fabric manager runs": row(
        {"daemons": known({"nv-fabricmanager": 70}), "fabric_manager_version": known(DRIVER)}, verdict="ready", pci=SWITCHES
    ),
    "the fabric manager runs in a container": row({"daemons": known({"nv-fabricmanager": 70})}, verdict="ready", pci=SWITCHES),
    "a file system without fixed inodes": row({"image_stores": known((file_system("/var", inodes_available=NONE),))}, verdict="ready"),
}

LIMITED, KILLS = ("fail", "investigate", False), ("fail", "investigate", True)
FAULTS: dict[str, Row] = {
    "a processor is missing": row({"cpu_count": known(112)}, ("cpu_count", *LIMITED), verdict="degraded", wanted={"cpu_count": 224}),
    "a memory module of 32 is missing": row(
        {"memory_mib": known(2_063_000 * 31 // 32)}, ("host_memory", *LIMITED), verdict="degraded", wanted={"memory_gib": 2048}
    ),
    "huge pages not set aside": row({}, ("hugepages", *LIMITED), verdict="degraded", wanted={"hugepages": 1024}),
    "locked memory limited": row({}, ("limits", *LIMITED), verdict="degraded", wanted={"memlock_unlimited": True}),
    "few open files": row(
        {"limits": known(Limits("dockerd", -1, 1024))}, ("limits", *LIMITED), verdict="degraded", wanted={"nofile": 65536}
    ),
    "what the inventory expects cannot be read": row(
        {"memory_mib": HIDDEN, "limits": HIDDEN},
        ("host_memory", "error", "investigate", False),
        ("limits", "error", "investigate", False),
        verdict="unknown",
        wanted={"memory_gib": 2048, "nofile": 1024},
    ),
    "nobody keeps the clock": row({"clock": UNSYNCHRONISED, "daemons": known({})}, ("time_sync", *LIMITED), verdict="degraded"),
    "a time daemon without a server": row(
        {"clock": UNSYNCHRONISED, "virtual_machine": known(YES)}, ("time_sync", *LIMITED), verdict="degraded"
    ),
    "the image store is full": row(
        {"image_stores": known((file_system("/var/lib/docker", available_mib=300),))}, ("image_store", *KILLS), verdict="not_ready"
    ),
    "the image store has no inodes": row(
        {"image_stores": known((file_system("/var/lib/docker", inodes_available=known(3)),))}, ("image_store", *KILLS), verdict="not_ready"
    ),
    "the image store is read-only": row(
        {"image_stores": known((file_system("/var/lib/docker", read_only=True),))}, ("image_store", *KILLS), verdict="not_ready"
    ),
    "the image store has less room than the inventory says": row(
        {}, ("image_store", *LIMITED), verdict="degraded", wanted={"image_store_free_gib": 600}
    ),
    "no /dev/shm": row({"shared_memory": NONE}, ("shared_memory", *KILLS), verdict="not_ready"),
    "/dev/shm is full": row(
        {"shared_memory": known(file_system("/dev/shm", available_mib=5))}, ("shared_memory", *KILLS), verdict="not_ready"
    ),
    "/dev/shm is small": row({}, ("shared_memory", *LIMITED), verdict="degraded", wanted={"shm_gib": 2000}),
    "a reboot is required": row(
        {"pending_reboot": known(PendingReboot(required=True, packages=("libc6",), newer_kernels_without_module=()))},
        ("pending_reboot", "fail", "reboot", False),
        verdict="degraded",
    ),
    "the next kernel has no module": row(
        {"pending_reboot": known(PendingReboot(required=False, packages=(), newer_kernels_without_module=("6.8.0-100-generic",)))},
        ("pending_reboot", *LIMITED),
        verdict="degraded",
    ),
    "the fabric manager does not run": row({}, ("fabric_manager", *KILLS), verdict="not_ready", pci=SWITCHES),
    "the fabric manager is of another version": row(
        {"daemons": known({"nv-fabricmanager": 70}), "fabric_manager_version": known("565.57.01")},
        ("fabric_manager", *KILLS),
        verdict="not_ready",
        pci=SWITCHES,
    ),
    "processes are hidden where a fabric manager is needed": row(
        {"daemons": HIDDEN}, ("fabric_manager", "error", "investigate", False), verdict="unknown", pci=SWITCHES
    ),
    "the engine is down": row(
        {"container_engine": known(engine(answer="not running", complaint="Cannot connect", cdi_folders=()))},
        ("container_runtime", *KILLS),
        verdict="not_ready",
    ),
    "the engine hangs": row(
        {"container_engine": known(engine(answer="no answer", complaint="10 s", cdi_folders=(), enabled=False))},
        ("container_runtime", *KILLS),
        verdict="not_ready",
    ),
    "no engine, and the inventory wants one": row(
        {"container_engine": NONE, "cdi": NONE, "image_stores": NONE},
        ("container_runtime", *KILLS),
        verdict="not_ready",
        wanted={"container_runtime": True},
    ),
    "an engine without GPUs, and the inventory wants them": row(
        {"container_engine": known(engine(runtimes=("runc",), cdi_folders=()))},
        ("container_runtime", *KILLS),
        verdict="not_ready",
        wanted={"container_runtime": True},
    ),
    "without root, and the inventory wants an engine": row(
        {"container_engine": known(engine(answer="forbidden", complaint="permission denied", cdi_folders=()))},
        ("container_runtime", "error", "investigate", False),
        verdict="unknown",
        wanted={"container_runtime": True},
    ),
    "CDI of an older driver": row({"cdi": known((cdi_spec(driver_versions=("565.57.01",)),))}, ("cdi", *KILLS), verdict="not_ready"),
    "CDI names what is not there": row(
        {"cdi": known((cdi_spec(missing=("/run/nvidia-persistenced/socket",)),))}, ("cdi", *KILLS), verdict="not_ready"
    ),
    "CDI made when a GPU was missing": row(
        {"cdi": known((cdi_spec(device_nodes=tuple(f"/dev/nvidia{minor}" for minor in range(7))),))}, ("cdi", *KILLS), verdict="not_ready"
    ),
    "CDI twice in one folder": row(
        {"cdi": known((cdi_spec(), cdi_spec(path="/etc/cdi/nvidia2.yaml")))}, ("cdi", *KILLS), verdict="not_ready"
    ),
    "a port lost its link": row(
        {"adapters": ports(port(**DOWN, counters=known({**COUNTERS, "link_downed": 1})))}, ("infiniband", *LIMITED), verdict="degraded"
    ),
    "all ports lost their links": row(
        {"adapters": known((adapter(0, port(**DOWN, counters=known({**COUNTERS, "link_downed": 1}))),))},
        ("infiniband", *KILLS),
        verdict="not_ready",
    ),
    "no subnet manager": row({"adapters": known((adapter(0, port(state=known("INIT"))),))}, ("infiniband", *KILLS), verdict="not_ready"),
    "a port without a subnet manager": row({"adapters": ports(port(state=known("INIT")))}, ("infiniband", *LIMITED), verdict="degraded"),
    "too few ports": row({"adapters": ports(port(**DOWN))}, ("infiniband", *KILLS), verdict="not_ready", wanted={"infiniband_ports": 4}),
    "no adapter, and the inventory wants ports": row(
        {"adapters": NONE}, ("infiniband", *KILLS), verdict="not_ready", wanted={"infiniband_ports": 4}
    ),
    "a port at half its rate": row(
        {"adapters": ports(port(rate=known("200 Gb/sec (2X NDR)")))},
        ("infiniband", *LIMITED),
        verdict="degraded",
        wanted={"infiniband_rate_gb_s": 400},
    ),
    "a port with one lane": row({"adapters": ports(port(rate=known("100 Gb/sec (1X NDR)")))}, ("infiniband", *LIMITED), verdict="degraded"),
    "a port that cannot be read": row(
        {"adapters": ports(port(state=HIDDEN))}, ("infiniband", "error", "investigate", False), verdict="unknown"
    ),
    "a link went down since": row(
        {"adapters": counting(link_downed=1)}, ("infiniband_errors", *LIMITED), verdict="degraded", previous=BEFORE
    ),
    "many symbol errors since": row(
        {"adapters": counting(symbol_error=1441)}, ("infiniband_errors", *LIMITED), verdict="degraded", previous=BEFORE
    ),
    "as many symbol errors since, on a slow link": row(
        {"adapters": ports(port(rate=known("100 Gb/sec (4X EDR)"), counters=known({**COUNTERS, "symbol_error": 361})))},
        ("infiniband_errors", *LIMITED),
        verdict="degraded",
        previous=BEFORE,
    ),
    "many symbol errors since, on a link that does not tell its rate": row(
        {"adapters": ports(port(rate=HIDDEN, counters=known({**COUNTERS, "symbol_error": 37})))},
        ("infiniband_errors", *LIMITED),
        verdict="degraded",
        previous=BEFORE,
    ),
    "mixed firmware": row(
        {"adapters": known((adapter(0), adapter(1, firmware=known("28.35.1012"))))}, ("infiniband_firmware", *LIMITED), verdict="degraded"
    ),
    "adapters do not reach GPUs": row(
        {"peer_memory": NONE}, ("gpudirect_rdma", *LIMITED), verdict="degraded", kernel_module=known(KernelModule(DRIVER, "proprietary"))
    ),
    "RoCE does not reach GPUs": row(
        {"peer_memory": NONE, "adapters": ports(*(port(**ETHERNET) for _each in range(4)))},
        ("gpudirect_rdma", *LIMITED),
        verdict="degraded",
        wanted={"gpudirect_rdma": True},
        kernel_module=known(KernelModule(DRIVER, "proprietary")),
    ),
    "access control redirects": row({"pci_topology": known(topology(0x1D))}, ("pci_acs", *LIMITED), verdict="degraded"),
    "the IOMMU translates": row({"pci_topology": known(topology(0, "DMA-FQ"))}, ("iommu", *LIMITED), verdict="degraded"),
    "GPUs without NVLinks behind one switch": row(
        {"adapters": NONE, "pci_topology": known(topology(0x1D, "DMA"))},
        ("pci_acs", *LIMITED),
        ("iommu", *LIMITED),
        verdict="degraded",
        gpus={index: {**PCIE_ONLY, "name": known(A100), "pci_device_id": known("20f1")} for index in range(8)},
    ),
    "another driver holds a GPU": row(
        {"pci_topology": known(PciTopology((endpoint("gpu", 3, kernel_driver=known("nouveau")),), topology().bridges))},
        ("gpu_kernel_driver", *KILLS),
        verdict="not_ready",
    ),
}
OF_THE_SYSTEM = {
    *("cpu_count", "host_memory", "hugepages", "limits", "time_sync", "image_store", "shared_memory", "pending_reboot", "fabric_manager"),
    *("container_runtime", "cdi", "infiniband", "infiniband_errors", "infiniband_firmware", "gpudirect_rdma", "pci_acs", "iommu"),
    "gpu_kernel_driver",
}


@pytest.mark.parametrize("name", [*HEALTHY, *FAULTS])
def test_a_fault_gives_its_findings_and_nothing_else_does(name: str) -> None:
    system, rest, wanted, expected, verdict = {**HEALTHY, **FAULTS}[name]
    findings, given = judged(observation(system=system, **rest), wanted)
    of_system = [finding for finding in findings if finding.check in OF_THE_SYSTEM]
    bad = {(each.check, each.status, each.action, each.kills_job) for each in of_system if each.status in ("fail", "error")}
    assert bad == expected
    if "gpus" not in rest:  # GPUs of another model than the healthy node's are judged elsewhere
        assert given == verdict
    for finding in of_system:
        assert finding.message
        if finding.status == "fail":
            assert "found" in finding.message
            assert "expected" in finding.message
            assert finding.source


def test_every_check_of_the_system_speaks() -> None:
    findings, _verdict = judged(observation())
    assert {finding.check for finding in findings} >= OF_THE_SYSTEM


def test_a_port_is_named() -> None:
    findings, _verdict = judged(observation(system={"adapters": ports(port(**DOWN, counters=known({**COUNTERS, "link_downed": 1})))}))
    assert [finding.subject.to_plain() for finding in findings if finding.check == "infiniband"] == [{"kind": "link", "id": "mlx5_3/1"}]


def test_the_first_reading_of_counters_says_so() -> None:
    findings, _verdict = judged(observation())
    assert "judged from the next check on" in next(finding.message for finding in findings if finding.check == "infiniband_errors")


def test_huge_pages_are_told_with_their_size() -> None:
    findings, _verdict = judged(observation(system={"hugepages": known(HugePages(8, 8, 1048576))}), {"hugepages": 8})
    assert "8 huge pages of 1048576 KiB" in next(finding.message for finding in findings if finding.check == "hugepages")


def test_the_parameters_that_an_iommu_was_given_are_told() -> None:
    changes = {"pci_topology": known(topology(0, "DMA")), "kernel_parameters": known(("intel_iommu=on", "pci=noats"))}
    findings, _verdict = judged(observation(system=changes))
    assert "(intel_iommu=on)" in next(finding.message for finding in findings if finding.check == "iommu")


def test_a_single_gpu_does_without_shared_memory() -> None:
    changes = {"shared_memory": known(file_system("/dev/shm", available_mib=5))}
    findings, _verdict = judged(observation(nvml={"gpus": known((gpu(0),))}, system=changes))
    assert [(each.status, each.kills_job) for each in findings if each.check == "shared_memory"] == [("fail", False)]


def test_what_symbol_errors_are_held_against_is_told() -> None:
    (found,) = [
        finding
        for finding in judged(observation(system={"adapters": counting(symbol_error=1441, link_downed=2)}, previous=BEFORE))[0]
        if finding.check == "infiniband_errors"
    ]
    assert (found.observed, found.expected) == ({"link_downed": 2, "symbol_error": 1441}, {"link_downed": 0, "symbol_error": 1440})
    assert "one wrong bit in 10^12" in str(found.source)


def test_an_iommu_is_said_to_corrupt() -> None:
    (found,) = [
        finding for finding in judged(observation(system={"pci_topology": known(topology(0, "DMA"))}))[0] if finding.check == "iommu"
    ]
    assert "corrupted" in found.message
    assert "CUDA programming guide" in str(found.source)
