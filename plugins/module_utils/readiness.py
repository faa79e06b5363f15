"""One node's readiness from beginning to end: observe, judge, conclude."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Deadline
from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.judge.checks import judge
from ansible_collections.gpu.fleet.plugins.module_utils.kit import Kit
from ansible_collections.gpu.fleet.plugins.module_utils.observe.node import observe
from ansible_collections.gpu.fleet.plugins.module_utils.observe.probe import ProbeRequest
from ansible_collections.gpu.fleet.plugins.module_utils.plain import to_plain
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables
from ansible_collections.gpu.fleet.plugins.module_utils.verdict import verdict

PASSIVE, ACTIVE = "passive", "active"


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    level: str
    runtime: str
    image: str
    timeout_s: float
    expectation: Expectation


def measure(request: Request, kit: Kit, tables: Tables) -> dict[str, Any]:
    """Measure this node; it is left as it was found."""
    start = time.monotonic()
    active = request.level == ACTIVE
    probe = ProbeRequest(request.runtime, request.image, request.expectation.probe_device, kit.probe) if active else None
    observation = observe(kit.bindings, Deadline(request.timeout_s), probe)
    findings = judge(observation, request.expectation, tables, active=active)
    return {
        "verdict": verdict(findings),
        "findings": [finding.to_plain() for finding in findings],
        "observation": to_plain(observation),
        "duration_s": round(time.monotonic() - start, 3),
    }
