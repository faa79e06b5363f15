"""One version of the driver for all nodes of a run that are asked for the same version, branch or none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.version import newest_first


def agree(plans: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return for what the nodes are asked the version that they all should have, or why there is none: asked -> version or error.

    `plans` are the answers of gpu.fleet.nvidia_driver_plan. What most nodes have already is taken, so that a run upgrades none of them by
    surprise, and else the newest that all can have. A plan that could not be made has no say.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for plan in plans:
        if "version" in plan:
            groups.setdefault(plan["asked"], []).append(plan)
    return {asked: _agree(asked, group) for asked, group in groups.items()}


def _agree(asked: str, plans: list[Mapping[str, Any]]) -> dict[str, str]:
    had = Counter(plan["had"] for plan in plans if plan.get("had"))
    most = [version for version, count in had.items() if count == max(had.values())]
    if len(most) == 1:
        return {"version": most[0]}
    if most:
        return {"error": _told(f"as many nodes with driver {' as with '.join(newest_first(most))}", asked)}
    offered = [set(plan.get("available", ())) for plan in plans]
    common = newest_first(set.intersection(*offered)) if offered else []
    if common:
        return {"version": common[0]}
    best = Counter(newest_first(versions)[0] for versions in offered if versions)
    each = ", ".join(f"{version} for {count}" for version, count in best.most_common())
    return {"error": _told(f"no version that all {len(plans)} nodes can have (the newest is {each})", asked)}


def _told(found: str, asked: str) -> str:
    expected = f"one version for all nodes that are asked for {asked}"
    return str(Refusal(found, expected, "set nvidia_driver_version to an exact version, for groups of nodes where they differ"))
