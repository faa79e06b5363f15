"""From what this run knows of a host to a node of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import redact
from .finding import Finding, Subject, trouble
from .node import VERDICTS, Node, ordered


@dataclass(frozen=True, slots=True)
class Heard:
    """What this run knows of one host: its `readiness`, or why there is none."""

    readiness: Any = None
    unreachable: Any = None  # what SSH said
    failed: Any = None  # {task, message, role?} of the provisioning step that failed
    expected_verdict: str = ""


def node(name: str, heard: Heard, now: str) -> Node:
    """Return the node as this run found it."""
    verdict, findings, observation = _measured(heard.readiness)
    if heard.unreachable:
        said = redact.text(str(heard.unreachable).strip())
        findings.append(
            trouble("reach", f"found no SSH connection ({said}), expected one: try `ssh {name}`, then run again with --limit {name}")
        )
        verdict = "unknown"
    if heard.failed:
        findings.append(_step(heard.failed))
        verdict = "not_ready"
    if not findings:
        findings.append(
            trouble(
                "measured",
                "found no measurement in this run, expected one: "
                f"see this run's output for the step that stopped, then run again with --limit {name}",
            )
        )
    return Node(
        name=name,
        verdict=verdict,
        findings=ordered(findings),
        in_run=True,
        measured_at=now,
        expected_verdict=heard.expected_verdict,
        observation=observation,
    )


def _measured(readiness: Any) -> tuple[str, list[Finding], Any]:
    if readiness is None:
        return "unknown", [], None
    if not isinstance(readiness, Mapping):
        return "unknown", [trouble("report", f"found a readiness that is {type(readiness).__name__}, expected a mapping")], None
    clean = redact.data(readiness)
    listed = clean.get("findings")
    findings = [Finding.read(item) for item in listed] if isinstance(listed, list) else []
    verdict = clean.get("verdict")
    if not isinstance(listed, list) or verdict not in VERDICTS:
        findings.append(
            trouble(
                "report",
                f"found verdict {verdict!r} and findings of type {type(listed).__name__}, "
                f"expected one of {', '.join(VERDICTS)} and a list: use the same version of gpu.fleet for module and report",
            )
        )
        verdict = "unknown"
    elif verdict == "ready" and any(finding.status == "error" for finding in findings):
        verdict = "unknown"  # a finding that the report could not read: an error is never ready
    return str(verdict), findings, clean.get("observation")


def _step(failed: Any) -> Finding:
    step = failed if isinstance(failed, Mapping) else {"message": str(failed)}
    where = ": ".join(redact.text(str(step[key])) for key in ("role", "task") if step.get(key))
    said = redact.text(str(step.get("message") or "it gave no reason").strip())
    return Finding(
        check="provision",
        subject=Subject("node", "", None),
        status="fail",
        observed="a failed step",
        expected="every step succeeds",
        source=where,
        action="investigate",
        kills_job=True,
        message=f"{where}: {said}" if where else said,
    )
