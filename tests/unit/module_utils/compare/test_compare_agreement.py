"""What is discrete agrees across the nodes of a run, or is explained: who is named, who is not, and what it does to the verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.compare.nodes import compare
from ansible_collections.gpu.fleet.plugins.module_utils.compare.traits import TRAITS
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Host, KernelModule, PciBus
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from ansible_collections.gpu.fleet.plugins.module_utils.report.node import never_measured
from unit.module_utils.compare.fleet_of import UNKNOWN, Seen, collected, differing, fleet, knows, on_all
from unit.module_utils.healthy_node import NO, absent, address, known, observation, pci_device
from unit.module_utils.healthy_probe import collectives, probe
from unit.module_utils.healthy_system import adapter, cdi_spec

SAME = Seen()


def driver(version: str, **expectation: Any) -> Seen:
    changes = {"driver_version": known(version), "library_version": known(version)}
    return Seen({"nvml": changes, "system": {"cdi": known((cdi_spec(driver_versions=(version,)),))}}, expectation)


def adapters(**changes: Any) -> Seen:
    return Seen({"system": {"adapters": known(tuple(adapter(index, **changes) for index in range(4)))}})


def on(system: str, kernel: str = "6.1.0") -> dict[str, Any]:
    return {"host": Host(known("node1"), known(kernel), known("b00t"), known(system))}


def gpus(count: int, **expectation: Any) -> Seen:
    bus = known(PciBus(tuple(pci_device(index) for index in range(count)), ()))
    changes = {"pci": bus, "gpus": dict.fromkeys(range(count, 8)), "device_nodes": known(tuple(range(count)))}
    measured = probe(gpus_seen=count, ranks=probe().ranks[:count], collectives=collectives(ranks=count))
    return Seen({**changes, "probe": known(measured)}, expectation)


def in_image(digest: str, nccl: str = "2.26.2") -> Seen:
    return Seen({"probe": known(probe(image=known(digest), nccl_version=nccl))})


def vbios(version: str, *indices: int) -> Seen:
    return Seen({"gpus": {index: {"vbios_version": known(version)} for index in indices or range(8)}})


def unknown(**changes: Any) -> Seen:
    return Seen({"gpus": on_all(**{**UNKNOWN, **changes})})


NEW, OLD = "570.172.08", "570.124.06"
LINKS = {str(link): True for link in range(24)}
ROWS: dict[str, tuple[list[Seen], set[tuple[str, str, str]]]] = {
    "alike": ([SAME] * 4, set()),
    "one driver that lags": ([driver(NEW), driver(NEW), driver(OLD)], {("n2", "driver", "n2")}),
    "two drivers on two nodes": ([driver(NEW), driver(OLD)], {("n0", "driver", "n0"), ("n1", "driver", "n1")}),
    "as many old as new": ([driver(NEW)] * 2 + [driver(OLD)] * 2, {(f"n{number}", "driver", f"n{number}") for number in range(4)}),
    "drivers that the inventory wants apart": ([driver(NEW, driver_version=NEW), driver(NEW), driver(OLD, driver_version=OLD)], set()),
    "branches that the inventory wants apart": (
        [driver(NEW, driver_version="570"), driver("550.1.2", driver_version="550"), driver("550.1.2", driver_version="550")],
        set(),
    ),
    "a branch does not explain two of its drivers": (
        [driver(NEW, driver_version="570"), driver(NEW, driver_version="570"), driver(OLD, driver_version="570")],
        {("n2", "driver", "n2")},
    ),
    "what the node's own check finds is said once, and does not count": (
        [driver(OLD, driver_version=NEW), driver(OLD, driver_version=NEW), driver(NEW, driver_version=NEW)],
        set(),
    ),
    "another system has another driver and kernel": (
        [
            Seen({**driver(OLD).changes, **on("debian 12")}),
            Seen({**driver(OLD).changes, **on("debian 12")}),
            Seen({**driver(NEW).changes, **on("debian 13", "6.12")}),
        ],
        set(),
    ),
    "other GPUs have another driver": ([driver(NEW), driver(NEW), Seen({**driver(OLD).changes, **unknown().changes})], set()),
    "one kernel that lags": ([SAME, SAME, Seen(on("debian 12", "6.0.9"))], {("n2", "kernel", "n2")}),
    "one kernel module of another flavour": (
        [
            *[Seen({"kernel_module": known(KernelModule(OLD, "open"))})] * 2,
            Seen({"kernel_module": known(KernelModule(OLD, "proprietary"))}),
        ],
        {("n2", "kernel_module", "n2")},
    ),
    "one node of another VBIOS": ([SAME, SAME, vbios("96.00.99")], {("n2", "vbios", "n2")}),
    "adapters of another firmware": ([SAME, SAME, adapters(firmware=known("28.36.1"))], {("n2", "adapter_firmware", "n2")}),
    "another board has another firmware": ([SAME, SAME, adapters(board=known("MT_9"), firmware=known("22.1"))], set()),
    "ECC off on one node": ([SAME, SAME, Seen({"gpus": on_all(ecc_enabled=known(NO))})], {("n2", "ecc_mode", "n2")}),
    "ECC off on two GPUs": (
        [SAME, Seen({"gpus": {index: {"ecc_enabled": known(NO)} for index in (2, 5)}})],
        {("n1", "ecc_mode", address(2)), ("n1", "ecc_mode", address(5))},
    ),
    "one image of another digest": ([in_image("sha256:1"), in_image("sha256:1"), in_image("sha256:2")], {("n2", "image", "n2")}),
    "one NCCL of another version": (
        [in_image("sha256:1"), in_image("sha256:1"), in_image("sha256:1", "2.21.5")],
        {("n2", "pytorch", "n2")},
    ),
    "another branch of the driver has another image": (
        [in_image("sha256:1"), in_image("sha256:1"), Seen({**driver("535.1.2").changes, **in_image("sha256:2").changes})],
        {("n2", "driver", "n2")},
    ),
    "one GPU fewer, where the inventory does not say": ([SAME, SAME, SAME, gpus(7)], {("n3", "gpu_count", "n3")}),
    "one GPU fewer, as the inventory says": ([SAME, SAME, SAME, gpus(7, gpu_count=7)], set()),
    "one GPU fewer than the inventory says": ([SAME, SAME, SAME, gpus(7, gpu_count=8)], set()),
    "more GPUs than the others": ([gpus(4), gpus(4), gpus(4), SAME], set()),
    "sizes of which none is usual": ([SAME, gpus(4)], set()),
    "two of a size are no rule": ([SAME, SAME, gpus(4)], set()),
    "unknown GPUs that are alike": ([unknown(nvlinks=known(LINKS))] * 4, set()),
    "all links down on one node of unknown GPUs": (
        [*[unknown(nvlinks=known(LINKS), fabric=absent)] * 3, unknown(nvlinks=known(dict.fromkeys(LINKS, NO)), fabric=absent)],
        {("n3", "nvlink", "n3")},
    ),
    "all links down in a fabric, as the node's own check says": (
        [*[unknown(nvlinks=known(LINKS))] * 3, unknown(nvlinks=known(dict.fromkeys(LINKS, NO)))],
        set(),
    ),
    "less memory on one unknown GPU": (
        [*[unknown()] * 3, Seen({"gpus": {**on_all(**UNKNOWN), 3: {**UNKNOWN, "memory_mib": known(70000)}}})],
        {("n3", "memory_size", address(3))},
    ),
    "a narrow slot of unknown GPUs": (
        [*[unknown()] * 3, unknown(pcie_width=known(8), pcie_width_max=known(8))],
        {("n3", "pcie_width", "n3")},
    ),
    "known GPUs are their table's": ([SAME, SAME, SAME, Seen({"gpus": on_all(memory_mib=known(70000))})], set()),
    "nothing read": (
        [SAME, SAME, Seen({"nvml": {"gpus": Reading.unreadable("hung"), "driver_version": Reading.unreadable("hung")}})],
        set(),
    ),
}


@pytest.mark.parametrize(("nodes", "expected"), ROWS.values(), ids=ROWS)
def test_who_differs_is_named(nodes: list[Seen], expected: set[tuple[str, str, str]]) -> None:
    found = fleet(*nodes)
    assert differing(found) == expected
    named = {name for name, _, _ in expected}
    for node in found:
        checks = {finding.check for finding in node.findings}
        assert {trait.check for trait in TRAITS} <= checks, "each says something of each node"
        assert node.verdict != "ready" or node.name not in named
        if node.name in named:
            assert node.verdict == "degraded"
            assert all((finding.action, finding.kills_job) == ("investigate", False) for finding in node.wrong)


@pytest.mark.parametrize("nodes", [nodes for nodes, expected in ROWS.values() if not expected])
def test_a_node_that_does_not_differ_keeps_its_verdict(nodes: list[Seen]) -> None:
    alone = [collected(f"n{number}", observation(**node.changes), node.expectation).verdict for number, node in enumerate(nodes)]
    assert [node.verdict for node in fleet(*nodes)] == alone


def test_a_difference_that_is_meant() -> None:
    nodes = [driver(NEW), driver(NEW), driver(OLD)]
    assert differing(fleet(*nodes, may_differ=["driver"])) == set()
    assert differing(fleet(*nodes, may_differ=["kernel"])) == {("n2", "driver", "n2")}


def test_messages_say_found_expected_and_the_next_step() -> None:
    lagging = fleet(driver(NEW), driver(NEW), driver(OLD))[2].wrong[0]
    assert lagging.message.startswith(f"found driver {OLD}, expected {NEW} as on 2 of 3 nodes of this run: run the role")
    assert (lagging.observed, lagging.expected, lagging.source) == (OLD, NEW, "2 of 3 nodes of this run")
    both = fleet(driver(NEW), driver(OLD))[0].wrong[0]
    assert f"found driver {NEW}, expected one for all of the 2 nodes of this run, which have also {OLD}: " in both.message


def test_a_node_alone_has_nobody_to_differ_from() -> None:
    (node,) = fleet(SAME)
    assert node.verdict == "ready"
    assert [finding.status for finding in node.findings if finding.check == "fleet"] == ["skip"]


def test_nodes_that_are_not_of_this_run_take_no_part() -> None:
    here = collected("n0", observation(), {})
    stored = replace(collected("n1", observation(**driver(OLD).changes), {}), in_run=False)
    dead = never_measured("n2")
    after = compare([here, stored, dead], knows)
    assert after[1:] == [stored, dead]
    assert differing(after) == set()


def test_a_verdict_is_never_made_better() -> None:
    bad = replace(collected("n0", observation(), {}), verdict="not_ready")
    assert [node.verdict for node in compare([bad, collected("n1", observation(), {})], knows)] == ["not_ready", "ready"]


@pytest.mark.parametrize(
    "foreign", [{}, {"nvml": []}, {"nvml": {"gpus": {"value": [7, None, {"name": 3}]}}}, {"host": {"kernel": {"value": {}}}}]
)
def test_a_foreign_observation_takes_no_part(foreign: dict[str, Any]) -> None:
    strange = replace(collected("n0", observation(), {}), observation=foreign)
    assert differing(compare([strange, collected("n1", observation(), {}), collected("n2", observation(), {})], knows)) == set()


def test_what_a_node_says_is_shown_without_secrets_and_short() -> None:
    long = Seen(on("debian 12", "token=hunter2 " + "x" * 10_000))
    message = fleet(SAME, SAME, long)[2].wrong[0].message
    assert "hunter2" not in message
    assert len(message) < 500
