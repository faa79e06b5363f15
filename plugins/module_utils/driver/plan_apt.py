"""Plan for a node with apt: what the sources offer is found out in a scratch copy of apt's state."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.driver import apt_files
from ansible_collections.gpu.fleet.plugins.module_utils.driver.apt_sources import add_components, plain
from ansible_collections.gpu.fleet.plugins.module_utils.driver.bare_kernel import refuse_bare_kernel
from ansible_collections.gpu.fleet.plugins.module_utils.driver.local import SCRATCH
from ansible_collections.gpu.fleet.plugins.module_utils.driver.mixture import refuse_mixture
from ansible_collections.gpu.fleet.plugins.module_utils.driver.offers import Complete, Offers, complete, parse_policy
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.repository import Fetch
from ansible_collections.gpu.fleet.plugins.module_utils.driver.scratch_apt import ScratchApt
from ansible_collections.gpu.fleet.plugins.module_utils.driver.version import upstream
from ansible_collections.gpu.fleet.plugins.module_utils.driver.wish import Wish


def plan(wish: Wish, fetch: Fetch) -> dict[str, Any]:
    """Say what to install, in which order, and which files that takes."""
    with tempfile.TemporaryDirectory(prefix="nvidia-driver-plan-", dir=SCRATCH) as directory:
        apt = ScratchApt(Path(directory))
        files, disable, places = _sources(apt, wish, fetch)
        policy = apt.run("apt-cache", "policy", *sorted(wish.names()))
        available = _available(wish, parse_policy(policy, places))
        version = wish.kept if wish.kept in available else next(iter(available))
        chosen = available[version]
        anywhere = parse_policy(policy)
        compiled = wish.compiled(version, chosen.flavour)
        beside = [name for name in wish.beside(chosen.flavour) if name not in compiled]
        wish.refuse_missing([name for name in (*beside, *compiled) if not anywhere.get(name)])
        packages = [f"{name}={exact}" for name, exact in sorted(chosen.packages.items())]
        packages += beside + [name for name in wish.next_headers() if anywhere.get(name)]
        answer = wish.answers(version)[chosen.flavour]
        outgrown = [*wish.outgrown(version, chosen.flavour, chosen.packages), *wish.compiled_for_others(version, chosen.flavour)]
        remove = sorted({*wish.in_the_way(chosen.flavour), *outgrown})
        there = wish.node.installed
        local = [name for name in answer.modules if name not in there or upstream(there[name].version) != version]
        first = _first(apt, wish, version, places) if answer.first else []
        former = wish.outgrown(version, chosen.flavour, first, pinning=True)
        before = [*first, *_away(former)] if first else []
        remove += former if not first else []
        packages += _fitting(apt, compiled, anywhere, [*before, *packages, *_away(remove)])
        wanted = [*before, *packages]
        remove = sorted({*remove, *wish.came_along(version, apt.idle([*wanted, *_away(remove)]))})
        changes = apt.simulate([*wanted, *_away(remove)], wish.own)
        refuse_mixture(changes, {name.split("=")[0] for name in packages}, version)
        if wish.source.signed:
            refuse_bare_kernel(changes)
        return {
            **wish.outcome(version, available),
            "files": files,
            "disable": disable,
            "places": sorted(places),
            "first": before,
            "packages": packages,
            "remove": remove,
            "local": local,
            "hold": sorted({*chosen.packages, *answer.held, *first, *wish.kernel(chosen.flavour)} - ({*answer.first} - {*first})),
            # The local packages are not here yet, but what they need is.
            "changes": changes + [f"Inst {name} ({version} compiled on {wish.request.prebuilt[0].built_on})" for name in local],
        }


def _away(names: Iterable[str]) -> list[str]:
    """Name packages as apt takes them for removal."""
    return [f"{name}-" for name in names]


def _fitting(apt: ScratchApt, compiled: list[str], offers: Offers, others: list[str]) -> list[str]:
    """Name compiled modules so that they fit the driver: as the newest are, where apt agrees, and else the newest with which it does."""
    if not compiled or apt.agrees([*others, *compiled]):
        return compiled
    named: list[str] = []
    for name in compiled:
        tries = (apt.exactly(name, version) for version, _ in offers[name])
        named += next((exact for exact in tries if apt.agrees([*others, *named, *exact])), [name])
    return list(dict.fromkeys(named))


def _first(apt: ScratchApt, wish: Wish, version: str, places: set[str]) -> list[str]:
    """Return the package that pins the version, and have it pinned in the copy already."""
    pinning = wish.pinning(version)
    offers = parse_policy(apt.run("apt-cache", "policy", *pinning), places)
    offered = [name for name in pinning if offers.get(name)][:1]
    wish.refuse_missing(pinning[:1] if not offered else [])
    apt.pin(version)
    return offered


def _sources(apt: ScratchApt, wish: Wish, fetch: Fetch) -> tuple[list[dict[str, str]], list[str], set[str]]:
    """Make the copy's sources what the node's should be: the files that change, those that must go, and where the driver may come from."""
    sources, repository = apt.sources(), wish.repository
    disable = apt_files.in_the_way(sources, repository)
    if disable and repository and not wish.request.remove_leftovers:
        repository.refuse(disable)
    for path in disable:
        apt.remove(path)
    if repository:
        key = apt_files.key_path(repository)
        text, armour = apt_files.stanza(repository, key), repository.key(fetch)
        (apt.root / "key.asc").write_text(armour, encoding="ascii")
        apt.write(str(apt_files.SOURCES), apt_files.stanza(repository, apt.root / "key.asc"))
        places = {plain(repository.url)}
        apt.update(places)
        files = [{"path": str(path), "text": content, "mode": "0644"} for path, content in ((key, armour), (apt_files.SOURCES, text))]
        return files, disable, places
    archive = apt.archive(wish.origin)
    changed = add_components({path: text for path, text in sources.items() if path not in disable}, archive, list(wish.source.components))
    for path, text in changed.items():
        apt.write(path, text)
    places = {uri for uri, _ in archive}
    apt.update(places)
    files = [{"path": path, "text": text, "mode": f"{Path(path).stat().st_mode & 0o7777:04o}"} for path, text in changed.items()]
    return files, disable, places


def _available(wish: Wish, offers: Offers) -> dict[str, Complete]:
    """Return the versions that this node can have; the one that it has among them where it is complete, so that a repair is no upgrade."""
    kept: dict[str, Complete] = {}
    if wish.kept:
        with contextlib.suppress(Refusal):
            kept = complete(offers, wish.lists, wish.kept)
    try:
        return wish.fitting({**complete(offers, wish.lists, wish.wanted), **kept})
    except Refusal:
        if kept:
            return kept
        raise
