"""Plan for a node with dnf: what the sources offer is found out in a scratch copy of dnf's state."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.driver import dnf_files, module_streams
from ansible_collections.gpu.fleet.plugins.module_utils.driver.dnf_transaction import Step, kernels
from ansible_collections.gpu.fleet.plugins.module_utils.driver.local import SCRATCH
from ansible_collections.gpu.fleet.plugins.module_utils.driver.offers import ORDINARY, Complete, Offers, complete
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.repository import Fetch
from ansible_collections.gpu.fleet.plugins.module_utils.driver.scratch_dnf import ScratchDnf
from ansible_collections.gpu.fleet.plugins.module_utils.driver.version import is_drivers, newest_first, upstream
from ansible_collections.gpu.fleet.plugins.module_utils.driver.versionlock import entry, package_in
from ansible_collections.gpu.fleet.plugins.module_utils.driver.wish import Wish


def plan(wish: Wish, fetch: Fetch) -> dict[str, Any]:
    """Say what to install, in which order, and which files, stream and locks that takes."""
    with tempfile.TemporaryDirectory(prefix="nvidia-driver-plan-", dir=SCRATCH) as directory:
        dnf = ScratchDnf(Path(directory))
        files, disable = _sources(dnf, wish, fetch)
        streams = {flavour: answer.stream for flavour, answer in wish.answers(wish.wanted).items()}
        available, offered = _available(dnf, wish, streams)
        version = wish.kept if wish.kept in available else next(iter(available))
        chosen = available[version]
        stream = streams[chosen.flavour]
        if stream:
            dnf.enable(stream)
        first, beside = _beside(dnf, wish, chosen.flavour)
        # What comes along is of the driver's version too: not each package asks for that of what it needs.
        whole = {**_of_version(offered[chosen.flavour], version), **_installed_at(wish, version), **chosen.packages}
        former = _present(wish)
        locks = _others(dnf.locks, former | {*whole})
        follow = (former & {*whole}) - _of_other_flavours(wish, chosen.flavour)
        named = {name: whole[name] for name in sorted({*chosen.packages, *follow})}
        dnf.lock([*locks, *(entry(name, exact) for name, exact in sorted(whole.items()))])
        steps = dnf.simulate([*first, *_specs(named), *beside], wish.own)
        along = {step.name: whole[step.name] for step in steps if step.name in whole and not step.removes}
        drivers = dict(sorted({**named, **along}.items()))
        kept = [entry(name, exact) for name, exact in drivers.items()]
        return {
            **wish.outcome(version, available),
            "files": files,
            "disable": disable,
            "stream": stream if stream != module_streams.enabled(dnf.node, stream.partition(":")[0]) else "",
            "first": first,
            "packages": [*_specs(drivers), *beside],
            "remove": sorted(_known(wish, former) - {*named} - {step.name for step in steps if step.removes}),
            "hold": [line for line in kept if line not in dnf.locks],
            "release": [line for line in dnf.locks if line not in {*locks, *kept}],
            "changes": [str(step) for step in steps] + _told(steps, wish),
        }


def _sources(dnf: ScratchDnf, wish: Wish, fetch: Fetch) -> tuple[list[dict[str, str]], list[str]]:
    """Make the copy's sources what the node's should be: the files that are written, and those that must go."""
    repository = wish.repository
    if repository is None:
        raise Refusal("no folder of NVIDIA's repository in the system's data", "one", "name it in roles/nvidia_driver/vars")
    texts = {dnf_files.key_path(repository): repository.key(fetch), dnf_files.SOURCE: dnf_files.section(repository)}
    disable = dnf_files.in_the_way(dnf.sources(), repository)
    if disable and not wish.request.remove_leftovers:
        repository.refuse(disable)
    for path in disable:
        dnf.remove(path)
    dnf.write(str(dnf_files.SOURCE), texts[dnf_files.SOURCE])
    return [{"path": str(path), "text": text, "mode": "0644"} for path, text in texts.items()], disable


def _present(wish: Wish) -> set[str]:
    """Return what the node has of the driver, whatever its version: what is named, what came along, what was left half-way."""
    names = {name for packages in wish.lists.values() for name in packages}
    versions = {name: upstream(package.version) for name, package in wish.node.installed.items()}
    drivers = {versions[name] for name in names if name in versions}
    # The CUDA toolkit's compatibility libraries have the version of a driver, but are none.
    along = {name for name, version in versions.items() if version in drivers and not name.startswith("cuda-compat")}
    return along | {name for name in _known(wish, versions) if is_drivers(versions[name])}


def _known(wish: Wish, names: Iterable[str]) -> set[str]:
    """Return those of the names that are the driver's in some branch or flavour."""
    rules = [rule for rule in wish.source.rules if not rule.own_version]
    return {name for name in names if any(rule.names_it(name) for rule in rules)}


def _installed_at(wish: Wish, version: str) -> dict[str, str]:
    """Return what is installed of this version of the driver: what is named, and what came along with it."""
    return {name: package.version for name, package in wish.node.installed.items() if upstream(package.version) == version}


def _specs(packages: Mapping[str, str]) -> list[str]:
    return [f"{name}-{exact}" for name, exact in packages.items()]


def _others(locks: list[str], names: set[str]) -> list[str]:
    """Leave out the locks of the driver: those of its packages, and those at a version that one of these is kept at."""
    kept = {line: package_in(line) for line in locks}
    versions = {upstream(version) for name, version in kept.values() if name in names}
    return [line for line, (name, version) in kept.items() if name not in names and (not name or upstream(version) not in versions)]


def _of_other_flavours(wish: Wish, flavour: str) -> set[str]:
    """Return the packages of the kernel module that this flavour replaces; where the module is not managed, none."""
    return {name for rule in wish.source.rules if flavour and rule.flavour not in {"", flavour} for name in rule.names}


def _available(dnf: ScratchDnf, wish: Wish, streams: dict[str, str]) -> tuple[dict[str, Complete], dict[str, Offers]]:
    """Return the versions that this node can have, the newest first, and what each flavour's stream has.

    What is installed is among it, so that a repair is no upgrade, even where the source no longer has it.
    """
    whole: dict[str, Complete] = {}
    offered: dict[str, Offers] = {}
    refusals = []
    for flavour, packages in wish.lists.items():
        try:
            if streams[flavour]:
                dnf.enable(streams[flavour])
            offered[flavour] = dnf.offers(wish.node.architecture, "--repo", dnf_files.NAME)
            found = complete(_with_installed(offered[flavour], wish, packages), {flavour: packages}, wish.wanted)
            whole = {**found, **whole}
        except Refusal as refusal:
            refusals.append(refusal)
    if not whole:
        raise refusals[0]
    return wish.fitting({version: whole[version] for version in newest_first(whole)}), offered


def _with_installed(offers: Offers, wish: Wish, packages: list[str]) -> Offers:
    """Return what is offered of the packages, with what is installed of them."""
    found = {}
    for name in packages:
        known = offers.get(name, [])
        here = [wish.node.installed[name].version] if name in wish.node.installed else []
        found[name] = known + [(version, ORDINARY) for version in here if version not in dict(known)]
    return found


def _beside(dnf: ScratchDnf, wish: Wish, flavour: str) -> tuple[list[str], list[str]]:
    """Return what is installed before all others, which is what locks, and what has a version of its own; refuse what no source has."""
    beside = wish.beside(flavour)
    later = wish.next_headers()
    known = dnf.offers(wish.node.architecture, *beside, *later) if beside or later else {}
    plain = {(name, version.partition(":")[2]) for name, offers in known.items() for version, _ in offers}
    there = {*known, *(f"{name}-{one}" for name, exact in plain for one in (exact, exact.rpartition(".")[0]))}
    wish.refuse_missing([name for name in beside if name not in there])
    holding = {name for rule in wish.source.rules if rule.part == "holding" for name in rule.names}
    others = [name for name in (*beside, *later) if name in there and name not in holding]
    return [name for name in beside if name in holding], list(dict.fromkeys(others))


def _of_version(offers: Offers, version: str) -> dict[str, str]:
    """Return what the repository has of this version of the driver, each package's newest build of it."""
    builds = {name: [exact for exact, _ in versions if upstream(exact) == version] for name, versions in offers.items()}
    return {name: exact[0] for name, exact in builds.items() if exact}


def _told(steps: list[Step], wish: Wish) -> list[str]:
    """Say where a kernel comes along."""
    running = wish.node.kernels[0]
    return [f"Kernel {kernel} comes along, and starts at the next boot; now {running} is running" for kernel in kernels(steps)]
