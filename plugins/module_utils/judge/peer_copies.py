"""Copies between GPUs: every pair, both ways.

Where all GPUs hang on NVSwitches, each pair has each GPU's whole bandwidth, and all pairs are alike. Elsewhere pairs take different ways
(one NVLink or four, a PCIe switch, both processors): the one direction of a pair is then held against the other.
"""

from __future__ import annotations

from statistics import median

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import FAIL, About, Finding, Subject
from ansible_collections.gpu.fleet.plugins.module_utils.judge.measured import (
    GB_S,
    Figure,
    Gate,
    gated,
    row_of,
    strictest,
    unmeasured,
    whose,
    wrong,
)
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import answering, node
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation
from ansible_collections.gpu.fleet.plugins.module_utils.observation_probe import PeerCopy
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_LIKE_THE_OTHER_WAY = 0.5
_JOINED = 3  # the state of a GPU that is a member of an NVSwitch fabric
_WRONG = "look at access control (ACS) and the IOMMU (iommu=pt), at the NVLinks and the kernel log; then at both GPUs"
_SLOW = "look at nvidia-smi topo -m, the NVLinks' state and errors, and access control (ACS) of PCIe switches"


def check(observation: Observation, expectation: Expectation, tables: Tables) -> list[Finding]:
    """Require that what arrives is what was sent, as fast as NVSwitches carry it, else about as fast as the other way round."""
    about = About("peer_copies", node(observation))
    if not observation.probe.is_known:
        return [unmeasured(about)]
    probe = observation.probe.value
    absent = about.without(copies_between_GPUs=probe.peers)
    if absent:
        return [absent]
    copies, on_cpu = probe.peers.value, probe.device == "cpu"
    if not copies:
        return [about.error("the probe measured no pair of GPUs")]
    bad = [_wrong(copy, observation) for copy in copies if not copy.correct]
    if bad:
        return bad
    gates = [_gate(copy, observation, expectation, tables) for copy in copies]
    each = [
        gated(About("peer_copies", _subject(copy, observation)), Figure(_told(copy), copy.gb_s, GB_S), gate, _SLOW, on_cpu=on_cpu)
        for copy, gate in zip(copies, gates)
    ]
    slow = [finding for finding in each if finding.status == FAIL]
    if slow:
        return slow
    slowest, gate = min(zip(copies, gates), key=lambda pair: pair[0].gb_s)
    told = f"{len(copies)} ways between GPUs, median {median(copy.gb_s for copy in copies):.4g} {GB_S}, the slowest {_told(slowest)}"
    return [gated(about, Figure(told, slowest.gb_s, GB_S), gate, _SLOW, on_cpu=on_cpu)]


def _told(copy: PeerCopy) -> str:
    way = "directly" if copy.direct else "by way of the host"
    return f"{copy.gb_s:.4g} {GB_S} from GPU {copy.source} to {copy.target} ({way}, {copy.bytes / 1e6:.4g} MB a copy)"


def _wrong(copy: PeerCopy, observation: Observation) -> Finding:
    pair = About("peer_copies", _subject(copy, observation))
    return wrong(pair, "data that arrived different from what was sent", "the data that was sent", _WRONG, action="investigate")


def _gate(copy: PeerCopy, observation: Observation, expectation: Expectation, tables: Tables) -> Gate:
    copies = observation.probe.value.peers.value
    if not _switched(observation):
        back = next((each.gb_s for each in copies if (each.source, each.target) == (copy.target, copy.source)), None)
        if back is None:
            return Gate(None, "no gate: the other way was not measured")
        return Gate(
            back * _LIKE_THE_OTHER_WAY, f"{_LIKE_THE_OTHER_WAY:g} of the other way's {back:.4g}, since pairs differ without NVSwitches"
        )
    middle, part = median(each.gb_s for each in copies), expectation.peak_fraction
    gates = [Gate(middle * part, f"{part:g} of {middle:.4g}, the median of all pairs")]
    rank = dict(enumerate(observation.probe.value.ranks)).get(copy.source)
    row = row_of(whose(rank, observation.probe.value, observation)[1], tables)[0] if rank else None
    if row and row.nvlink_links and not row.nvlink_bridge:
        peak = row.nvlink_peak_gb_s_per_direction
        gates.append(Gate(peak * part, f"{part:g} of NVLink's {peak:g} in one direction: {row.cited}"))
    return strictest(gates, "nothing to compare with")


def _switched(observation: Observation) -> bool:
    """Whether all GPUs hang on NVSwitches: these are on the PCI bus, or the GPUs say that they joined a fabric of them."""
    gpus = answering(observation)
    linked = all(gpu.nvlinks.is_known and any(gpu.nvlinks.value.values()) for gpu in gpus)
    seen = observation.pci.is_known and bool(observation.pci.value.nvswitches)
    joined = all(gpu.fabric.is_known and gpu.fabric.value.state == _JOINED for gpu in gpus)
    return bool(gpus) and linked and (seen or joined)


def _subject(copy: PeerCopy, observation: Observation) -> Subject:
    probe = observation.probe.value
    names = {place: whose(rank, probe, observation)[0].id for place, rank in enumerate(probe.ranks)}
    one, other = (names.get(place, f"CUDA device {place}") for place in (copy.source, copy.target))
    return Subject("pair", f"{one} -> {other}")
