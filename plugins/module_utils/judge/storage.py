"""Where containers live: is there room, and may it be written to, in the image store and in shared memory."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import SOURCE, Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding, at_least, quantity
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import listed, node
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation
from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import FileSystem
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

# Below these, containers do not start at all, or end when they write: no question of taste.
_LEAST_FREE_MIB, _LEAST_INODES = 1024, 1000
_NEEDED = "a container needs room to write"
# Docker gives a container so much where nobody asks for more, and NCCL between two GPUs is known to fail with it.
_LEAST_SHARED_MIB, _SHARED_SOURCE = 64, "Docker's own size, too small for NCCL"
_SHARED = "/dev/shm"  # noqa: S108 - it is only looked at


def image_store(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require room and inodes in the image store, and that it may be written to."""
    about, stores = About("image_store", node(observation)), observation.system.image_stores
    absent = about.without(image_store=stores)
    if absent:
        return [absent]
    return [_store(about, store, expectation) for store in stores.value] or [about.skipped("there is no image store on this node")]


def _store(about: About, store: FileSystem, expectation: Expectation) -> Finding:
    wanted = expectation.image_store_free_gib
    gate, source = (wanted * 1024, SOURCE) if wanted is not None else (_LEAST_FREE_MIB, _NEEDED)
    free, expected = quantity(store.available_mib / 1024, "GiB"), at_least(gate / 1024, "GiB")
    inodes = store.inodes_available
    trouble = ""
    if store.read_only:
        trouble = f"{store.folder} mounted read-only, expected to write there: look at the kernel log for errors of the disk"
    elif store.available_mib < gate:
        trouble = f"{free['value']:g} GiB free in {store.folder}, expected at least {gate / 1024:g}: remove images with docker system prune"
    elif inodes.is_known and inodes.value < _LEAST_INODES:
        trouble = f"{inodes.value} inodes free in {store.folder}, expected at least {_LEAST_INODES}: remove images with docker system prune"
    elif inodes.is_unreadable:
        return about.error(f"the free inodes of {store.folder} could not be read: {inodes.why}")
    if not trouble:
        return about.passed(f"{free['value']:g} GiB free in {store.folder}", observed=free, expected=expected, source=source)
    return about.failed(
        f"found {trouble}",
        observed=free,
        expected=expected,
        source=source,
        action="investigate",
        kills_job=store.read_only or store.available_mib < _LEAST_FREE_MIB or (inodes.is_known and inodes.value < _LEAST_INODES),
    )


def shared_memory(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require a /dev/shm, through which the processes of a job speak to each other, of the size that the inventory says and not full."""
    about, system, found = About("shared_memory", node(observation)), observation.system, observation.system.shared_memory
    if system.sees_all_processes.is_known and not system.sees_all_processes.value:
        return [about.skipped("a container: its jobs' containers have a /dev/shm of their own")]
    if found.is_unreadable:
        return [about.error(f"{_SHARED} could not be read: {found.why}")]
    if found.is_known and found.value.inodes_available.is_unreadable:
        return [about.error(f"the free inodes of {_SHARED} could not be read: {found.value.inodes_available.why}")]
    several = len(listed(observation)) != 1
    return [_shared(about, found.value if found.is_known else None, expectation.shm_gib, several=several)]


def _shared(about: About, found: FileSystem | None, wanted: float | None, *, several: bool) -> Finding:
    """Judge it; `several` GPUs cannot do without."""
    gate, source = (wanted, SOURCE) if wanted is not None else (_LEAST_SHARED_MIB / 1024, _SHARED_SOURCE)
    trouble, kills = "", several
    if found is None:
        trouble, kills = f"no {_SHARED}", True
    elif found.available_mib < _LEAST_SHARED_MIB:
        trouble = f"{found.available_mib} MiB free in {_SHARED}"
    elif found.inodes_available.is_known and found.inodes_available.value < _LEAST_INODES:
        trouble = f"{found.inodes_available.value} inodes free in {_SHARED}"
    elif found.size_mib < gate * 1024:
        trouble, kills = f"{_SHARED} of {found.size_mib} MiB", False
    size = quantity(found.size_mib / 1024, "GiB") if found else None
    expected = at_least(gate, "GiB")
    if not trouble and found:
        said = f"{_SHARED} of {found.size_mib / 1024:.3g} GiB, {found.available_mib / 1024:.3g} free"
        return about.passed(said, observed=size, expected=expected, source=source)
    return about.failed(
        f"found {trouble}, expected at least {gate:.2g} GiB: look at df {_SHARED}, and for files left there by jobs that have ended",
        observed=size,
        expected=expected,
        source=source,
        action="investigate",
        kills_job=kills,
    )
