"""What the search concludes becomes findings: the node, pair or rail at fault is named with its figures, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.conclusion import (
    ABSENT,
    HANG,
    SLOW,
    BadNode,
    BadPair,
    Conclusion,
    Measured,
)
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.findings import findings
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rounds import Fabric, Group, Outcome, Round
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.transport import CHECK as TRANSPORT
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.transport import Adapters
from ansible_collections.gpu.fleet.plugins.module_utils.finding import Finding

NODES = ("a", "b", "c", "d")
WHOLE = Measured(3, ("a", "b", "d"), 402.0, 300.0, "NET/IB")
SLOW_TWICE = (Measured(1, ("c", "d"), 98.5, 300.0), Measured(2, ("a", "c"), 101.0, 300.0))


BARE, EQUIPPED = Adapters(dict.fromkeys(NODES, ())), Adapters(dict.fromkeys(NODES, ("mlx5_0", "mlx5_1")))


def said(conclusion: Conclusion, *, transport: str = "NET/IB", adapters: Adapters = EQUIPPED, figure: float | None = 400.0) -> Any:
    group = Group(NODES)
    results = [(Round(0, (group,), "all nodes"), (Outcome(group, figure, transport=transport, why="" if figure else "timed out"),))]
    return findings(Fabric(NODES, rails=2, gate_gb_s=300.0), results, conclusion, adapters)


def across(found: dict[str, list[Finding]], node: str) -> Finding:
    (finding,) = [each for each in found[node] if each.check == "across_nodes"]
    return finding


def test_all_good() -> None:
    found = said(Conclusion(1, good=NODES, whole=Measured(0, NODES, 402.0, 300.0, "NET/IB")))
    for node in NODES:
        assert [each.status for each in found[node]] == ["pass", "pass"]
    assert across(found, "a").observed == {"value": 402.0, "unit": "GB/s"}
    assert across(found, "a").expected == {"minimum": 300.0, "unit": "GB/s"}
    assert "4 nodes together, over NET/IB" in across(found, "a").message


def test_a_slow_node_is_named_with_its_figures_and_partners() -> None:
    found = said(Conclusion(4, (BadNode("c", SLOW, SLOW_TWICE, (1,)),), good=("a", "b", "d"), whole=WHOLE))
    bad = across(found, "c")
    assert (bad.status, bad.action, bad.kills_job) == ("fail", "investigate", False)
    assert bad.observed == {"value": 98.5, "unit": "GB/s"}
    assert "98.5 GB/s where 300 is the least with d in round 1; 101 GB/s where 300 is the least with a in round 2" in bad.message
    assert "only rail mlx5_1 is slow" in bad.message
    assert {across(found, node).status for node in "abd"} == {"pass"}


def test_who_hangs_or_is_gone_kills_jobs() -> None:
    for kind, words in ((HANG, "measurements with it hang"), (ABSENT, "its agent stopped answering")):
        evidence = (Measured(1, ("c", "d"), None, 300.0, why="timed out"),)
        bad = across(said(Conclusion(4, (BadNode("c", kind, evidence),), good=("a", "b", "d"), whole=WHOLE)), "c")
        assert bad.kills_job
        assert words in bad.message
        assert "no figure (timed out) with d in round 1" in bad.message


def test_a_bad_pair_is_a_finding_of_both_and_of_no_other() -> None:
    pair = BadPair(("b", "c"), SLOW, (Measured(2, ("b", "c"), 90.0, 300.0),))
    found = said(Conclusion(5, bad_pairs=(pair,), good=NODES, whole=WHOLE))
    for node in "bc":
        assert across(found, node).subject.to_plain() == {"kind": "pair", "id": "b-c"}
        assert "measurements between b and c are slow" in across(found, node).message
    assert {across(found, node).status for node in "ad"} == {"pass"}


def test_what_is_not_known_is_an_error_and_accuses_nobody() -> None:
    pair = BadPair(("a", "b"), SLOW, (Measured(0, ("a", "b"), 90.0, 300.0),))
    found = said(Conclusion(5, undecided=("a", "b", "c"), undecided_pairs=(pair,), unmeasured=("d",), stopped=True))
    assert {across(found, node).status for node in NODES} == {"error"}
    assert "which of them" in across(found, "a").message
    assert "never good within 5 rounds" in across(found, "c").message
    assert "was not measured with others" in across(found, "d").message


def test_where_nobody_is_good_nobody_is_blamed_and_nobody_passes() -> None:
    found = said(Conclusion(3, undecided=NODES, everywhere=True), transport="NET/Socket", figure=12.0)
    for node in NODES:
        assert across(found, node).status == "fail"
        assert "the best 12 GB/s, over NET/Socket" in across(found, node).message
    nothing = said(Conclusion(3, undecided=NODES, everywhere=True), figure=None)
    assert {across(nothing, node).status for node in NODES} == {"error"}
    assert "timed out" in across(nothing, "a").message


def test_what_only_large_groups_show_is_told_of_all_in_them() -> None:
    found = said(Conclusion(6, good=NODES, unexplained=(Measured(3, ("a", "b", "c"), 100.0, 300.0),), whole=WHOLE))
    assert "found 100 GB/s where 300 is the least with 3 nodes" in across(found, "a").message
    assert across(found, "d").status == "pass"


def test_a_rail_that_is_slow_everywhere() -> None:
    found = said(Conclusion(5, good=NODES, bad_rails=(1,), whole=WHOLE))
    assert across(found, "a").subject.to_plain() == {"kind": "link", "id": "rail mlx5_1"}


def way(node: str = "a", **changes: Any) -> Finding:
    found = said(Conclusion(1, good=NODES, whole=WHOLE), **changes)[node]
    (finding,) = [each for each in found if each.check == TRANSPORT]
    return finding


def test_a_silent_fall_back_to_sockets_is_found() -> None:
    apart = Adapters({node: (f"rocep{number}",) for number, node in enumerate(NODES)})
    assert way().status == "pass"
    assert way(transport="NET/Socket").status == "fail"
    assert way(transport="NET/Socket", adapters=apart).status == "fail"  # no name in common, and an adapter on each
    assert way(transport="").status == "error"
    assert way(transport="gloo", adapters=BARE).status == "skip"


@pytest.mark.parametrize("image", ["registry/pytorch:1", ""])
def test_without_libibverbs_the_image_or_the_system_is_named_and_no_adapter(image: str) -> None:
    lacking = Adapters(EQUIPPED.of, NODES[1:], image)
    for transport in ("NET/Socket", ""):  # nor does NCCL tell a way where one side has adapters and the other has none
        for node in NODES:
            finding = way(node, transport=transport, adapters=lacking)
            assert finding.status == "error"
            assert f"found no libibverbs in {f'the image {image}' if image else 'the system'} on b, c, d" in finding.message
            assert ("build an image" in finding.message) == bool(image)
            assert "mlx5" not in finding.message
    assert way(adapters=lacking).status == "pass"


def test_one_node_without_an_active_adapter_is_named_as_the_cause_of_sockets_on_all() -> None:
    one = Adapters({**EQUIPPED.of, "c": ()})
    assert {way(node, transport="NET/Socket", adapters=one).status for node in NODES} == {"error"}
    assert "adapter with an active port on c, expected" in way(transport="NET/Socket", adapters=one).message
    assert way(adapters=one).status == "pass"


@pytest.mark.parametrize(
    ("figures", "gate", "status"),
    [
        ((400.0,), None, "pass"),
        ((400.0,), 300.0, "error"),  # by the gate the search would have decided
        ((400.0, 395.0, 405.0, 401.0), None, "pass"),
        ((400.0, 395.0, 200.0, 201.0), None, "error"),
        ((None,), None, "error"),
    ],
)
def test_so_few_nodes_that_nothing_tells_what_is_normal(figures: tuple[float | None, ...], gate: float | None, status: str) -> None:
    group = Group(NODES[:3])
    results = [(Round(number, (group,), "all nodes"), (Outcome(group, figure, transport="gloo"),)) for number, figure in enumerate(figures)]
    found = findings(Fabric(NODES[:3], gate_gb_s=gate), results, Conclusion(len(figures), undecided=NODES[:3]), BARE)
    assert across(found, "a").status == status
    assert ("no gate" in across(found, "a").message) == (status == "pass")


def test_four_nodes_that_nothing_was_decided_of_are_not_good() -> None:
    group = Group(NODES)
    results = [(Round(0, (group,), "all nodes"), (Outcome(group, 400.0),))]
    assert across(findings(Fabric(NODES), results, Conclusion(1, undecided=NODES), BARE), "a").status == "error"
