"""Whatever is discrete: nodes of one kind agree on it, or the inventory says why they do not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.compare.items import Item, models
from ansible_collections.gpu.fleet.plugins.module_utils.compare.traits import Trait
from ansible_collections.gpu.fleet.plugins.module_utils.expectation import SOURCE
from ansible_collections.gpu.fleet.plugins.module_utils.finding import ERROR, FAIL, About, Finding, Subject
from ansible_collections.gpu.fleet.plugins.module_utils.report import words
from ansible_collections.gpu.fleet.plugins.module_utils.report.node import Node

_NODES_FOR_A_NORM = 3  # with fewer there is no telling what is usual
_TOLD = 3  # other values that a message names

Known = Callable[[str], bool]  # whether the reference table has a GPU of this name
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Group:
    """What the comparable things of several nodes are. The norm is what most of them are; None where no value has a majority."""

    counted: Counter[str | int]
    nodes: int
    holders: int  # nodes with the most common value
    norm: str | int | None


def judge(trait: Trait, nodes: Collection[Node], is_known: Known, may_differ: Collection[str]) -> dict[str, list[Finding]]:
    """Hold the nodes against each other; each gets at least one finding."""
    if trait.name in may_differ:
        reason = f"fleet_report_may_differ says that the {trait.what} may differ"
        return {node.name: [_about(trait, node).skipped(reason)] for node in nodes}
    by_node = {node.name: _by_key(trait, node, is_known) for node in nodes}
    together: dict[Key, list[list[Item]]] = defaultdict(list)
    for by_key in by_node.values():
        for key, items in by_key.items():
            together[key].append(items)
    groups = {key: _group(trait, of_nodes) for key, of_nodes in together.items()}
    return {node.name: _of_node(trait, node, by_node[node.name], groups) for node in nodes}


def _by_key(trait: Trait, node: Node, is_known: Known) -> dict[Key, list[Item]]:
    """Gather a node's things by what makes them comparable: the same GPUs, the same word of the inventory, and what else explains them.

    What the node's own check has already found wrong, or could not read, takes no part.
    """
    if _is_said(trait, node):
        return {}
    said = next((str(each.expected) for each in node.findings if each.check == trait.own_check and each.source == SOURCE), None)
    place = (said, *(explains(node.observation) for explains in trait.depends_on))
    hardware = models(node.observation)
    gathered: dict[Key, list[Item]] = defaultdict(list)
    for item in trait.items(node.name, node.observation):
        if not (trait.unknown_only and is_known(item.kind)):
            gathered[((item.kind,) if item.kind else hardware, *place)].append(item)
    return gathered


def _of_node(trait: Trait, node: Node, by_key: Mapping[Key, list[Item]], groups: Mapping[Key, Group]) -> list[Finding]:
    about = _about(trait, node)
    compared = {key: mine for key, mine in by_key.items() if key[0] and groups[key].nodes > 1}
    if not by_key:
        return [about.skipped(_nothing(trait, node))]
    if not compared:
        return [about.skipped(f"no other node of this run has such GPUs and such an inventory to compare the {trait.what} with")]
    findings = [finding for key, mine in compared.items() for finding in _of_group(trait, node, mine, groups[key])]
    if findings:
        return findings
    others = max(groups[key].nodes for key in compared) - 1
    values = dict.fromkeys(str(item.value) for mine in compared.values() for item in mine)
    told = ", ".join(values)
    message = f"{trait.what} {words.listing(values)}, as on {words.count(others, 'other node')}"
    return [about.passed(message, observed=told, expected=told, source="the nodes of this run")]


def _group(trait: Trait, of_nodes: list[list[Item]]) -> Group:
    counted = Counter(item.value for items in of_nodes for item in items)
    usual, times = counted.most_common(1)[0]
    holders = sum(any(item.value == usual for item in items) for items in of_nodes)
    has_norm = 2 * times > counted.total() and (not trait.at_least or holders >= _NODES_FOR_A_NORM)
    return Group(counted, len(of_nodes), holders, usual if has_norm else None)


def _of_group(trait: Trait, node: Node, mine: list[Item], group: Group) -> list[Finding]:
    """Judge a node's things of one kind: against what most have, or, where no value has a majority, as part of a disagreement."""
    if trait.at_least:
        bad = [item for item in mine if group.norm is not None and item.value < group.norm]  # type: ignore[operator]
    else:
        bad = [item for item in mine if item.value != group.norm and len(group.counted) > 1]
    if len({item.value for item in bad}) == 1 and len(bad) == len(mine) > 1:  # the whole node is different: one finding says it
        return [_differs(trait, Subject("node", node.name), bad[0].value, group)]
    return [_differs(trait, item.subject, item.value, group) for item in bad]


def _differs(trait: Trait, subject: Subject, found: str | int, group: Group) -> Finding:
    if group.norm is None:
        expected, source = "one for all", f"the {group.nodes} nodes of this run"
        others = words.listing([str(value) for value, _ in group.counted.most_common() if value != found], _TOLD)
        wanted = f"one for all of {source}, which have also {others}"
    else:
        expected, source = str(group.norm), f"{group.holders} of {group.nodes} nodes of this run"
        wanted = f"{expected} as on {source}"
    return About(trait.check, subject).failed(
        f"found {trait.what} {found}, expected {wanted}: {trait.advice}; a difference that is meant goes into fleet_report_may_differ",
        observed=found,
        expected=expected if group.norm is None else group.norm,
        source=source,
        action="investigate",
        kills_job=False,
    )


def _nothing(trait: Trait, node: Node) -> str:
    if _is_said(trait, node):
        return f"see the check {trait.own_check}"
    if trait.unknown_only:
        return "every GPU here is known to the reference table, or has none"
    return f"this node told no {trait.what}"


def _is_said(trait: Trait, node: Node) -> bool:
    return any(finding.check == trait.own_check and finding.status in (FAIL, ERROR) for finding in node.findings)


def _about(trait: Trait, node: Node) -> About:
    return About(trait.check, Subject("node", node.name))
