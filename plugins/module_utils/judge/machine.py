"""The machine: as many processors, as much memory, huge pages and limits as the inventory says. Without that, facts for the record."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import SOURCE, Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding, at_least, quantity
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import node
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation
from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import UNLIMITED, Limits
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

# The kernel keeps some memory for itself: a 64th for its tables, and what is reserved for a crash. A missing module is more.
_USABLE, _RESERVED_GIB = 0.97, 0.5


def cpu_count(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require as many logical processors online as the inventory says."""
    about, found, wanted = About("cpu_count", node(observation)), observation.system.cpu_count, expectation.cpu_count
    if wanted is None:
        return [_no_opinion(about, "number of processors", found.value if found.is_known else None)]
    absent = about.without(number_of_processors=found)
    if absent:
        return [absent]
    if found.value == wanted:
        return [about.passed(f"{found.value} logical processors", observed=found.value, expected=wanted, source=SOURCE)]
    fewer = found.value < wanted
    advice = "look at lscpu and the BIOS for a processor, cores or threads that are off" if fewer else "correct cpu_count in the inventory"
    return [
        about.failed(
            f"found {found.value} logical processors online, expected {wanted}: {advice}",
            observed=found.value,
            expected=wanted,
            source=SOURCE,
            action="investigate",
            kills_job=False,
        )
    ]


def memory(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require the memory that the inventory says is installed, less what a kernel keeps for itself."""
    about, found, wanted = About("host_memory", node(observation)), observation.system.memory_mib, expectation.memory_gib
    if wanted is None:
        return [_no_opinion(about, "amount of memory", quantity(found.value / 1024, "GiB") if found.is_known else None)]
    absent = about.without(amount_of_memory=found)
    if absent:
        return [absent]
    gib, gate = found.value / 1024, wanted * _USABLE - _RESERVED_GIB
    seen, expected = quantity(gib, "GiB"), at_least(gate, "GiB")
    if gib >= gate:
        return [about.passed(f"{gib:.0f} GiB of memory", observed=seen, expected=expected, source=SOURCE)]
    return [
        about.failed(
            f"found {gib:.0f} GiB of memory, expected {wanted:g} (at least {gate:.0f} of them to be usable): "
            "look for a memory module that is missing or switched off with dmidecode -t memory",
            observed=seen,
            expected=expected,
            source=SOURCE,
            action="investigate",
            kills_job=False,
        )
    ]


def hugepages(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require as many huge pages set aside as the inventory says."""
    about, found, wanted = About("hugepages", node(observation)), observation.system.hugepages, expectation.hugepages
    if wanted is None:
        return [_no_opinion(about, "number of huge pages", found.value.reserved if found.is_known else None)]
    absent = about.without(huge_pages=found)
    if absent:
        return [absent]
    pages = found.value
    if pages.reserved == wanted:
        return [
            about.passed(f"{pages.reserved} huge pages of {pages.size_kib} KiB", observed=pages.reserved, expected=wanted, source=SOURCE)
        ]
    return [
        about.failed(
            f"found {pages.reserved} huge pages of {pages.size_kib} KiB, expected {wanted}: set vm.nr_hugepages; "
            "where memory is in pieces already, set hugepages on the kernel's command line and reboot",
            observed=pages.reserved,
            expected=wanted,
            source=SOURCE,
            action="investigate",
            kills_job=False,
        )
    ]


def limits(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require the limits that the inventory says containers are to inherit."""
    about, found = About("limits", node(observation)), observation.system.limits
    if expectation.memlock_unlimited is None and expectation.nofile is None:
        return [_no_opinion(about, "limits of containers", _written(found.value) if found.is_known else None)]
    absent = about.without(limits=found)
    if absent:
        return [absent]
    seen, wanted, troubles = found.value, {}, []
    if expectation.memlock_unlimited:
        wanted["memlock"] = "unlimited"
        if seen.memlock_bytes != UNLIMITED:
            troubles.append(f"memlock {seen.memlock_bytes} bytes, expected unlimited (RDMA locks the memory that it transfers)")
    if expectation.nofile is not None:
        wanted["nofile"] = f"at least {expectation.nofile}"
        if seen.open_files != UNLIMITED and seen.open_files < expectation.nofile:
            troubles.append(f"nofile {seen.open_files}, expected at least {expectation.nofile}")
    if not troubles:
        return [about.passed(f"limits of {seen.of} as wanted", observed=_written(seen), expected=wanted, source=SOURCE)]
    return [
        about.failed(
            f"found, in {seen.of}: {'; '.join(troubles)}: set LimitMEMLOCK and LimitNOFILE in its unit, or default-ulimits in daemon.json",
            observed=_written(seen),
            expected=wanted,
            source=SOURCE,
            action="investigate",
            kills_job=False,
        )
    ]


def _written(seen: Limits) -> dict[str, object]:
    memlock, files = ("unlimited" if value == UNLIMITED else value for value in (seen.memlock_bytes, seen.open_files))
    return {"of": seen.of, "memlock": memlock, "nofile": files}


def _no_opinion(about: About, what: str, observed: object) -> Finding:
    return about.skipped(f"the inventory expects no certain {what}", observed=observed)
