"""From what this run knows of a host to a node of the report."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from ansible_collections.gpu.fleet.plugins.module_utils.finding import FAIL, Finding, Subject
from ansible_collections.gpu.fleet.plugins.module_utils.verdict import READY, UNKNOWN, verdict

from . import identity, redact
from .findings import read, trouble
from .node import VERDICTS, Node, ordered

# What Ansible puts in front of what SSH said.
_ANSIBLES_WORDS: Final = re.compile(r"^(Task failed: )?(Failed to connect to the host via ssh: )?")


@dataclass(frozen=True, slots=True)
class Heard:
    """What this run knows of one host: its `readiness`, or why there is none."""

    readiness: Any = None
    fabric: Any = None  # findings of the measurement across nodes
    unreachable: Any = None  # what SSH said
    failed: Any = None  # {task, message, role?} of the provisioning step that failed
    expected_verdict: str = ""


def node(name: str, heard: Heard, now: str) -> Node:
    """Return the node as this run found it."""
    findings: list[Finding] = []
    if heard.failed:
        findings.append(_failed_step(name, heard.failed))
    if heard.unreachable:
        said = redact.text(_ANSIBLES_WORDS.sub("", str(heard.unreachable)).strip())
        findings.append(
            trouble("reach", f"found no SSH connection ({said}), expected one: try `ssh {name}`, then run again with --limit {name}")
        )
    measured = _measured(heard.readiness)
    if heard.readiness is None and not findings:
        findings.append(
            trouble(
                "measurement",
                "found no measurement in this run, expected one: "
                f"see this run's output for the step that stopped, then run again with --limit {name}",
            )
        )
    if isinstance(heard.fabric, list):
        findings += [read(item) for item in redact.data(heard.fabric)]
    findings += measured.troubles
    every = findings + measured.findings
    return Node(
        name=name,
        verdict=verdict(every) if findings else measured.verdict,
        findings=ordered(every),
        in_run=True,
        measured_at=now,
        expected_verdict=heard.expected_verdict,
        hardware=identity.hardware(measured.observation),
        observation=measured.observation,
    )


@dataclass(frozen=True, slots=True)
class _Measured:
    """What a readiness says, and what is wrong with how it says it."""

    verdict: str
    findings: list[Finding]
    observation: Any
    troubles: list[Finding]


def _measured(readiness: Any) -> _Measured:
    if readiness is None:
        return _Measured(UNKNOWN, [], None, [])
    if not isinstance(readiness, dict):
        return _Measured(
            UNKNOWN, [], None, [trouble("report", f"found a readiness that is {type(readiness).__name__}, expected a mapping")]
        )
    said, listed, observation = readiness.get("verdict"), redact.data(readiness.get("findings")), readiness.get("observation")
    if isinstance(listed, list) and said in VERDICTS:
        findings = [read(item) for item in listed]
        # Never better than what was read: a finding that could not be read is an error.
        return _Measured(verdict(findings) if said == READY else str(said), findings, observation, [])
    problem = trouble(
        "report",
        f"found verdict {said!r} with findings of type {type(listed).__name__}, expected one of {', '.join(VERDICTS)} with a list: "
        "use one version of gpu.fleet for measuring and reporting",
    )
    return _Measured(UNKNOWN, [read(item) for item in listed] if isinstance(listed, list) else [], observation, [problem])


def _failed_step(name: str, failed: Any) -> Finding:
    step = failed if isinstance(failed, dict) else {"message": failed}
    where = ": ".join(redact.text(str(step[key])) for key in ("role", "task") if step.get(key))
    said = redact.text(str(step.get("message") or "it gave no reason").strip())
    return Finding(
        check="provision",
        subject=Subject("node", name),
        status=FAIL,
        message=f"{where}: {said}" if where else said,
        observed="a step that failed",
        expected="no step fails",
        source=where or None,
        action="investigate",
        kills_job=True,
    )
