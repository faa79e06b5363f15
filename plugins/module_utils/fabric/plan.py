"""The search for the bad node, pair or rail of a fabric: what to measure next, given what was measured.

Pure: the same results give the same round. docs/fabric_search.md explains it.
"""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.fabric.conclude import conclude
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.conclusion import Conclusion
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.errands import Errands
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.evidence import Evidence
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.first_rounds import Plan, first_rounds
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.halves import Halves
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.judged import Results
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.proof import is_proven, rounds_of_one, surer, together
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rails import Rails
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rounds import Fabric, Group, Round

_FAULTS = 3  # at once, for which there are rounds enough
_RAIL_ROUNDS = 2  # for each rail, and once more where it was slow


def most_rounds(nodes: int, rails: int = 1) -> int:
    """Return how many rounds a search takes at most."""
    if nodes <= 1:
        return 0
    return _FAULTS * rounds_of_one(nodes) + (_RAIL_ROUNDS * rails if rails > 1 else 0)


def next_round(fabric: Fabric, results: Results) -> Round | Conclusion:
    """Say what to measure next, or what is found."""
    if len(set(fabric.nodes)) < len(fabric.nodes):
        raise ValueError("found a node twice in the fabric, expected each once")
    evidence = Evidence(fabric, results)
    rails = Rails(evidence, results)
    groups, why = _groups(evidence) if len(evidence.alive) > 1 else ([], "")
    planned = tuple(Group(evidence.in_order(nodes)) for nodes in groups)
    if not planned:
        planned, why = rails.next_groups(), "what is slow, one rail at a time"
    stopped = bool(planned) and len(results) >= most_rounds(len(fabric.nodes), fabric.rails)
    if planned and not stopped:
        return Round(len(results), planned, why)
    proven = [pair for pair in evidence.bad_pairs if is_proven(evidence, pair)]
    return conclude(evidence, results, rails, proven, stopped=stopped)


def _groups(evidence: Evidence) -> Plan:
    if not evidence.shown_good:
        return first_rounds(evidence)
    errands = list(Errands(evidence).due())
    idle = set(evidence.good).difference(*errands)
    parts = _parts(evidence, idle)
    what = ["suspects, again or each with another node"] * bool(errands) + ["good nodes in halves or pairs"] * bool(parts)
    if not parts:
        parts = together(evidence, idle)
        what += ["all other good nodes together"] * bool(parts)
    if errands or parts:
        return [*errands, *parts], "; ".join(what)
    again = [seen.members for seen in evidence.open_groups if evidence.times_measured(seen.members) == 1]
    if again:
        return [tuple(again[0])], "once more what was slow though all in it is good"
    return surer(evidence)


def _parts(evidence: Evidence, idle: set[str]) -> list[tuple[str, ...]]:
    """Plan what leads to the bad pair of each open group."""
    left, halves = set(idle), Halves(evidence)
    parts: list[tuple[str, ...]] = []
    for seen in evidence.open_groups:
        if not seen.members.isdisjoint(left):
            parts += halves.next_of(seen.members, left)
            left -= seen.members
    return parts
