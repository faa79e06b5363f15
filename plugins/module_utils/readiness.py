"""One node's readiness from beginning to end: remember, observe, judge, conclude, and remember this check."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils import history_file, recovery
from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Deadline
from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import Finding
from ansible_collections.gpu.fleet.plugins.module_utils.history import EMPTY, after
from ansible_collections.gpu.fleet.plugins.module_utils.judge import history as flapping
from ansible_collections.gpu.fleet.plugins.module_utils.judge.checks import judge
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation, Snapshot
from ansible_collections.gpu.fleet.plugins.module_utils.observe.node import Probing, observe
from ansible_collections.gpu.fleet.plugins.module_utils.plain import to_plain
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables
from ansible_collections.gpu.fleet.plugins.module_utils.verdict import verdict

PASSIVE, QUICK, STANDARD, BURN_IN = "passive", "quick", "standard", "burn_in"
_OTHER_WORDS = {"active": STANDARD}
LEVELS = (PASSIVE, *_OTHER_WORDS, QUICK, STANDARD, BURN_IN)
FLAP_WINDOW_S = 3600.0
BURN_IN_S = 3600.0


@dataclass(frozen=True)
class Memory:
    """How a node remembers its checks: where (None is nowhere), how long a failure counts, and whether this check is added."""

    path: Path | None
    flap_window_s: float = FLAP_WINDOW_S
    keep: bool = True
    recovered: bool = False  # what failed before has been repaired, says who asks


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    level: str
    runtime: str
    image: str
    timeout_s: float
    expectation: Expectation
    memory: Memory
    burn_in_s: float = BURN_IN_S


def measure(
    request: Request, bindings: Callable[[], Any], tables: Tables, probe: Path | None = None, root: Path = Path("/")
) -> dict[str, Any]:
    """Measure this node; it is left as it was found, but for its history. Every level but passive needs the folder of the probe."""
    start = time.monotonic()
    active = request.level != PASSIVE
    probing = _probing(request, bindings, probe, root) if active else None
    before = history_file.load(request.memory.path) if request.memory.path else history_file.Loaded(EMPTY)
    deadline = Deadline(request.timeout_s + (request.burn_in_s if request.level == BURN_IN else 0.0))
    observation = observe(bindings, deadline, probing, root, _previous(request.memory, before))
    if request.memory.recovered:
        observation = recovery.declared(observation)
    findings = judge(observation, request.expectation, tables, active=active)
    findings = [*findings, *_remember(request.memory, before, observation, findings)]
    return {
        "verdict": verdict(findings),
        "findings": [finding.to_plain() for finding in findings],
        "observation": to_plain(observation),
        "duration_s": round(time.monotonic() - start, 3),
    }


def _probing(request: Request, bindings: Callable[[], Any], folder: Path | None, root: Path) -> Probing:
    from ansible_collections.gpu.fleet.plugins.module_utils.observe import burn_in, probe  # noqa: PLC0415 - a passive check is spared them

    if folder is None:
        raise ValueError(f"found no folder of the probe, expected one: level {request.level} measures with it")
    level, memory = _OTHER_WORDS.get(request.level, request.level), request.memory
    path = memory.path.with_name(burn_in.FILE) if memory.path and memory.keep else None
    lasting = probe.BurnInRequest(request.burn_in_s, path, memory.recovered) if level == BURN_IN else None
    asked = probe.ProbeRequest(request.runtime, request.image, request.expectation.probe_device, level, folder, lasting)
    return lambda nvml, deadline: probe.observe(asked, bindings, nvml, deadline, root)


def _previous(memory: Memory, before: history_file.Loaded) -> Reading[Snapshot]:
    if memory.path is None:
        return Reading.unsupported("no history is kept of this node")
    return Reading.unreadable(before.trouble) if before.trouble else before.history.snapshot


def _remember(memory: Memory, before: history_file.Loaded, observation: Observation, findings: list[Finding]) -> list[Finding]:
    """Judge this check by those before, and add it to them. Trouble with the history is told, and is never the check's."""
    path = memory.path
    if path is None:
        return [flapping.not_kept(observation, "no history is kept of this node", "name a file with the option history")]
    try:
        return _judged_and_kept(path, memory, before, observation, findings)
    except Exception as error:  # noqa: BLE001 - what was measured is worth more than the memory of it
        return [flapping.not_kept(observation, f"{path}: {type(error).__name__}: {error}", "please report this")]


def _judged_and_kept(
    path: Path, memory: Memory, before: history_file.Loaded, observation: Observation, findings: list[Finding]
) -> list[Finding]:
    told = []
    if before.foreign:
        fate = f"{'it is' if memory.keep else 'the next check will have it'} set aside as {history_file.aside(path)}"
        told.append(flapping.not_kept(observation, before.trouble, f"{fate}, and changes are judged from now on"))
    elif before.trouble:
        told.append(flapping.not_kept(observation, before.trouble, "check with root, or name a file of your own with the option history"))
    else:
        history = replace(before.history, repaired_at=observation.measured_at) if memory.recovered else before.history
        told.append(flapping.recent(observation, findings, history, memory.flap_window_s))
    if memory.keep:
        conclusion = verdict([*findings, *told])
        trouble = history_file.update(path, lambda past: after(past, observation, findings, conclusion, repaired=memory.recovered))
        if trouble and trouble != before.trouble:
            advice = "this check is not remembered; check with root, or name a file of your own with the option history"
            told.append(flapping.not_kept(observation, trouble, advice))
    return told
