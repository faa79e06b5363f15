"""Look at one node's driver and plan what brings all of it to one held version.

It changes nothing: a version that does not exist, a package that cannot be installed and one that would have to go are all known before
anything on the node has been touched.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.driver import plan_apt, plan_dnf, plan_found, plan_once
from ansible_collections.gpu.fleet.plugins.module_utils.driver.installed import DPKG_LIST, Installed, interrupted, parse_dpkg, unfinished
from ansible_collections.gpu.fleet.plugins.module_utils.driver.local import output, read, unusable
from ansible_collections.gpu.fleet.plugins.module_utils.driver.node import Node, look
from ansible_collections.gpu.fleet.plugins.module_utils.driver.plan_once import DEBIAN_ARCHITECTURES
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.repository import Fetch
from ansible_collections.gpu.fleet.plugins.module_utils.driver.request import Request
from ansible_collections.gpu.fleet.plugins.module_utils.driver.rpm_installed import RPM_LIST, parse_rpm
from ansible_collections.gpu.fleet.plugins.module_utils.driver.system import PREINSTALLED, RUNFILE, WITHOUT_PACKAGES
from ansible_collections.gpu.fleet.plugins.module_utils.driver.versionlock import list_path, parse_list
from ansible_collections.gpu.fleet.plugins.module_utils.driver.wish import Wish


@dataclass(frozen=True)
class PackageManager:
    """What is asked of a system's own."""

    look: Callable[[Path], tuple[dict[str, Installed], bool]]  # what is installed, and whether an installation was interrupted
    plan: Callable[[Wish, Fetch], dict[str, Any]]


def _dpkg(root: Path) -> tuple[dict[str, Installed], bool]:
    listed = output(*DPKG_LIST)
    return parse_dpkg(listed, DEBIAN_ARCHITECTURES.get(os.uname().machine, "")), interrupted(listed) or unfinished(root)


def _rpm(root: Path) -> tuple[dict[str, Installed], bool]:
    # A transaction of rpm that was cut off leaves both versions in its list or none: there is nothing to finish first.
    return parse_rpm(output(*RPM_LIST), parse_list(read(list_path(root))), os.uname().machine), False


# By what holds its packages.
MANAGERS = {"apt-mark": PackageManager(_dpkg, plan_apt.plan), "versionlock": PackageManager(_rpm, plan_dnf.plan)}


def plan(request: Request, node: Node, root: Path, fetch: Fetch) -> dict[str, Any]:
    """Leave what is as it should be, or else say what to do."""
    if request.source == PREINSTALLED:
        return plan_found.preinstalled(request, root)
    if request.source == RUNFILE:
        return plan_found.runfile(request, node, root)
    wish = _agreed(Wish(request, node))
    found = next(filter(None, (way.converged() for way in plan_once.ways(wish))), None)
    here = {"units": wish.units(root), "fabric": wish.fabric}
    if found and all((root / path.lstrip("/")).exists() for path in request.files):
        return {**here, "converged": True, "version": found[0], "had": found[0], "flavour": found[1]}
    make = MANAGERS[wish.source.hold].plan
    misfit = plan_once.misfit(wish, root)
    compiled = plan_once.with_prebuilt(wish) if request.prebuilt and not misfit else plan_once.here(wish)
    if compiled:
        return {**here, "converged": False, **make(compiled, fetch)}
    unsigned = ""
    if request.flavour and not wish.source.signed:
        try:
            node.secure_boot.refuse_unsigned(request.signing, root)
        except Refusal as refusal:
            if request.prebuilt or not plan_once.can(wish):
                raise
            unsigned = str(refusal)
    planned = make(wish, fetch)
    return {**here, "converged": False, "misfit": misfit, **planned, **plan_once.sharing(wish, planned, unsigned)}


def _agreed(wish: Wish) -> Wish:
    """Ask for the version that the fleet has agreed on; refuse it on a node that has another, which would be upgraded by surprise."""
    agreed = wish.request.fleet_version
    if not agreed:
        return wish
    if wish.kept not in {"", agreed}:
        raise Refusal(
            f"driver {wish.kept} on this node, and {agreed} on the others that are asked for {wish.request.version or 'no version'}",
            "one version",
            f"run playbooks/upgrade_driver.yml with -e nvidia_driver_version={agreed} and --limit to this node, or name its version",
        )
    return Wish(replace(wish.request, version=agreed), wish.node)


def answer(request: Request, root: Path, fetch: Fetch) -> dict[str, Any]:
    """Plan for this node, and say in one word what module its kernel has now: its version, "nouveau" or nothing."""
    loaded = read(root / "sys/module/nvidia/version") or ("nouveau" if (root / "sys/module/nouveau").exists() else "")
    told: dict[str, Any] = {"loaded": loaded, "asked": request.version or f"no version on {request.system.name}"}
    try:
        installed, cut_off = MANAGERS[request.system.hold].look(root)
        node = look(root, installed, request.kernels)
        # What is not packages is for one kernel only.
        kernels = node.kernels[:1] if request.source in WITHOUT_PACKAGES else node.kernels
        planned = plan(request, node.bare() if request.bare else node, root, fetch)
        names = request.system.module_names(request.source, planned.get("flavour", ""))
        return {**told, "kernels": list(kernels), "module_names": names, "interrupted": cut_off, **planned}
    except (Refusal, OSError) as error:
        return {**told, "converged": False, "error": str(unusable(error) if isinstance(error, OSError) else error)}
