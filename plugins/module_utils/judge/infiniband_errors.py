"""InfiniBand and RoCE: do active links lose data or go down, by the change of their error counters since the last check."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils import snapshot
from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding, Subject
from ansible_collections.gpu.fleet.plugins.module_utils.judge.infiniband import each_port, gb_s, is_active
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import node
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation
from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import Port
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_CHECK = "infiniband_errors"
_SINCE = "the last check of this node"
_EVENTS = {
    "link_downed": "the link went down",
    "link_error_recovery": "the link had to be trained again",
    "local_link_integrity_errors": "the link's errors passed their limit",
}
# A symbol error is at least one wrong bit; NVIDIA tests its cables for a thousandth of this. A few at once are no rate yet.
_BIT_ERROR_RATE, _A_FEW = 1e-12, 10
_SPECIFICATION = "the InfiniBand specification, as NVIDIA's DGX SuperPOD cabling guide has it: less than one wrong bit in 10^12"
_SLOWEST_GB_S = 10.0  # four lanes of the oldest InfiniBand, for a port that does not tell its rate


def check(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require that no active port's link went down or was trained again, and that symbol errors are as rare as they should be."""
    about, adapters = About(_CHECK, node(observation)), observation.system.adapters
    absent = about.without(RDMA_adapters=adapters)
    if absent:
        return [absent]
    active = [(name, port) for name, port in each_port(observation) if is_active(port)]
    findings, judged, counting = [], 0, 0
    for name, port in active:
        if port.counters.is_unreadable:
            findings.append(About(_CHECK, Subject("link", name)).error(f"error counters could not be read: {port.counters.why}"))
        elif port.counters.is_known:
            counting += 1
            changes = {what: snapshot.change(observation, name, what, value) for what, value in port.counters.value.items()}
            judged += any(change is not None for change in changes.values())
            allowed = _symbol_errors_allowed(port, snapshot.hours_since(observation))
            findings += _port(About(_CHECK, Subject("link", name)), changes, allowed)
    if findings:
        return findings
    if not counting:
        return [about.skipped("no active port that counts its errors")]
    if not judged:
        return [about.passed(f"first reading of {counting} ports, judged from the next check on")]
    return [about.passed(f"{judged} active ports without new errors", observed=0, expected=0, source=_SINCE)]


def _symbol_errors_allowed(port: Port, hours: float | None) -> int | None:
    """Say how many are no worse than the specification's bit error rate, since the last check; None where it is not known when that was."""
    if hours is None:
        return None
    rate = (gb_s(port) or _SLOWEST_GB_S) * 1e9
    return max(_A_FEW, round(rate * _BIT_ERROR_RATE * 3600 * max(hours, 1 / 60)))


def _port(about: About, changes: dict[str, int | None], symbol_errors_allowed: int | None) -> list[Finding]:
    events = {what: change for what, change in changes.items() if what in _EVENTS and change}
    expected, source = dict.fromkeys(events, 0), _SINCE
    symbols, wanted = changes.get("symbol_error") or 0, "none"
    if symbol_errors_allowed is not None and symbols > symbol_errors_allowed:
        events["symbol_error"], expected["symbol_error"] = symbols, symbol_errors_allowed
        source = f"{_SINCE}; {_SPECIFICATION}"
        wanted = f"none, and at most {symbol_errors_allowed} symbol errors at its rate"
    if not events:
        return []
    said = ", ".join(f"{_EVENTS[what]} ({count})" if what in _EVENTS else f"{count} symbol errors" for what, count in events.items())
    return [
        about.failed(
            f"found on the port {about.subject.id} since the last check: {said}; expected {wanted}: clean or replace its cable, "
            "and look at the switch's port (mlxlink, ibdiagnet)",
            observed=events,
            expected=expected,
            source=source,
            action="investigate",
            kills_job=False,
        )
    ]
