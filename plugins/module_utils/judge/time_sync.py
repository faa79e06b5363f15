"""The clock: does anybody keep it. Logs of nodes that drift apart cannot be compared, and tickets and certificates fail."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import node
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation
from ansible_collections.gpu.fleet.plugins.module_utils.observe.daemons import TIME
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_NEVER_SET_US = 16_000_000  # the kernel's NTP_PHASE_LIMIT, to which the error grows some nine hours after the last correction
_SETTLING_S = 900  # a time daemon needs some minutes after the start


def check(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require a clock that is kept in time.

    A chronyd without `rtcsync` never says so to the kernel, but for the error that it keeps small. A virtual machine without a time daemon
    may be kept in time by its host, and a container is.
    """
    about, system = About("time_sync", node(observation)), observation.system
    if system.sees_all_processes.is_known and not system.sees_all_processes.value:
        return [about.skipped("a container: the clock is its host's")]
    absent = about.without(clock=system.clock)
    if absent:
        return [absent]
    if system.clock.value.synchronised or system.clock.value.largest_error_us < _NEVER_SET_US:
        return [about.passed("the clock is synchronised", observed=True, expected=True, source="kernel (adjtimex)")]
    if system.uptime_s.is_known and system.uptime_s.value < _SETTLING_S:
        return [about.skipped(f"the clock is not synchronised yet; the machine started {system.uptime_s.value:.0f} s ago", observed=False)]
    keeper = next((name for name in TIME if name in system.daemons.value), "") if system.daemons.is_known else ""
    if not keeper and not (system.virtual_machine.is_known and not system.virtual_machine.value):
        return [about.skipped("no time daemon here; if this is a virtual machine, its host may keep its clock", observed=False)]
    advice = f"{keeper} runs and reaches no server; look at its sources" if keeper else "start one, such as chronyd"
    return [
        about.failed(
            f"found the clock not synchronised, expected a time daemon to keep it: {advice} (timedatectl shows the state)",
            observed=False,
            expected=True,
            source="kernel (adjtimex)",
            action="investigate",
            kills_job=False,
        )
    ]
