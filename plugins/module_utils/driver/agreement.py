"""One version of the driver for all nodes of a run that are asked for the same version, branch or none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.version import newest_first

_NAMED = 4  # nodes of a version that a message names


def agree(plans: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return for what the nodes are asked the version that they all should have, or why there is none: asked -> version or error.

    `plans` are the answers of gpu.fleet.nvidia_driver_plan, by node. What most nodes have already is taken, so that a run upgrades none of
    them by surprise, and else the newest that all can have. A plan that could not be made has no say.
    """
    groups: dict[str, dict[str, Mapping[str, Any]]] = {}
    for node, plan in plans.items():
        if "version" in plan:
            groups.setdefault(plan["asked"], {})[node] = plan
    return {asked: _agree(asked, group) for asked, group in groups.items()}


def _agree(asked: str, plans: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    had = Counter(plan["had"] for plan in plans.values() if plan.get("had"))
    most = [version for version, count in had.items() if count == max(had.values())]
    if len(most) == 1:
        return {"version": most[0]}
    if most:
        having = {version: [node for node, plan in plans.items() if plan.get("had") == version] for version in newest_first(most)}
        each = ", and ".join(f"driver {version} on {_named(nodes)}" for version, nodes in having.items())
        return {"error": _told(f"{each}, which are as many", asked)}
    offered = {node: newest_first(plan.get("available", ())) for node, plan in plans.items()}
    common = newest_first(set.intersection(*map(set, offered.values()))) if offered else []
    if common:
        return {"version": common[0]}
    best = Counter(versions[0] for versions in offered.values() if versions)
    newest = {version: [node for node, versions in offered.items() if versions[:1] == [version]] for version, _ in best.most_common()}
    each = ", ".join(f"{version} for {_named(nodes)}" for version, nodes in newest.items())
    return {"error": _told(f"no version that all {len(plans)} nodes can have (the newest is {each})", asked)}


def _named(nodes: list[str]) -> str:
    more = [f"{len(nodes) - _NAMED} more"] if len(nodes) > _NAMED else []
    return " and ".join([", ".join(sorted(nodes)[:_NAMED]), *more])


def _told(found: str, asked: str) -> str:
    expected = f"one version for all nodes that are asked for {asked}"
    return str(Refusal(found, expected, "set nvidia_driver_version to an exact version, for groups of nodes where they differ"))
