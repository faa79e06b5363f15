"""From findings to the one word about a node. Whatever was not measured good is never called ready."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.gpu.fleet.plugins.module_utils.finding import ERROR, FAIL, PASS, SKIP, Finding

READY, DEGRADED, NOT_READY, UNKNOWN = "ready", "degraded", "not_ready", "unknown"


def verdict(findings: Iterable[Finding]) -> str:
    """Judge a node by its findings; none at all, or none that passed, is unknown."""
    findings = list(findings)
    statuses = {finding.status for finding in findings}
    if any(finding.status == FAIL and finding.kills_job for finding in findings):
        return NOT_READY
    if ERROR in statuses or not statuses <= {PASS, FAIL, SKIP}:
        return UNKNOWN
    if FAIL in statuses:
        return DEGRADED
    return READY if PASS in statuses else UNKNOWN
