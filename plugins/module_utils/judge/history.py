"""The node's own history: a node that failed lately and passes now is not ready yet (flap damping)."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.gpu.fleet.plugins.module_utils.finding import FAIL, About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.history import History, recent_failures
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import node
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation
from ansible_collections.gpu.fleet.plugins.module_utils.plain import to_plain

NAME = "history"
_SOURCE = "this node's history"


def recent(observation: Observation, findings: Sequence[Finding], history: History, window_s: float) -> Finding:
    """Limit a node that passes now and would have killed a job within the window; one that still fails is judged by what fails."""
    about, window = About(NAME, node(observation)), f"{window_s / 60:g} minutes"
    if not history.records:
        return about.skipped("this node has no record of earlier checks yet")
    if window_s <= 0:
        return about.skipped("flap damping is switched off")
    failed = recent_failures(history, observation, window_s)
    if failed and any(finding.status == FAIL and finding.kills_job for finding in findings):
        return about.skipped("it failed before and fails now; what it is, the other findings say", observed=to_plain(failed))
    if not failed:
        expected = f"no failure in the last {window}"
        return about.passed(expected, observed=[], expected=expected, source=_SOURCE)
    last = failed[-1]
    first_failure = last.failures[0]
    others = f" and {len(last.failures) - 1} more" if len(last.failures) > 1 else ""
    return about.failed(
        f"found {sum(record.checks for record in failed)} failed checks in the last {window}, the last at {last.last_at} "
        f"({first_failure.check} of {first_failure.subject}{others}: {first_failure.message}), expected none though it passes now: "
        f"it is ready again {window} after the last failure; if it has been repaired, check it with recovered=true",
        observed=to_plain(failed),
        expected=f"no failure in the last {window}",
        source=_SOURCE,
        action="investigate",
        kills_job=False,
    )


def not_kept(observation: Observation, trouble: str, advice: str) -> Finding:
    """Say that the history could not be read or written: changes cannot be judged, and the verdict does not depend on it."""
    return About(NAME, node(observation)).skipped(f"{trouble}: {advice} (not needed for the verdict)")
