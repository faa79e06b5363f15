"""What of a plan is for modules that one node compiles and others install."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.driver import fit
from ansible_collections.gpu.fleet.plugins.module_utils.driver.misfit import flavours
from ansible_collections.gpu.fleet.plugins.module_utils.driver.module_package import file_name, package_name
from ansible_collections.gpu.fleet.plugins.module_utils.driver.packages import Choice, compilers
from ansible_collections.gpu.fleet.plugins.module_utils.driver.version import matches, upstream
from ansible_collections.gpu.fleet.plugins.module_utils.driver.wish import Wish

# What Debian calls the architectures.
DEBIAN_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def can(wish: Wish) -> bool:
    """Tell whether the node may have a module that another one compiled."""
    return bool(wish.request.build_once and wish.request.flavour and wish.source.compiles)


def ways(wish: Wish) -> list[Wish]:
    """Return the ways in which the node may have the driver."""
    return [wish, replace(wish, prebuilt=True)] if can(wish) else [wish]


def misfit(wish: Wish, root: Path) -> str:
    """Return why what another node compiled does not do for this one, or nothing."""
    without = set(wish.node.kernels) - {modules.kernel for modules in wish.request.prebuilt}
    reasons = [fit.misfit(modules, root, wish.node.secure_boot) for modules in wish.request.prebuilt]
    if wish.request.prebuilt and without:
        reasons.append(f"none are for kernel {' and '.join(sorted(without))}")
    return "; ".join(filter(None, reasons))


def with_prebuilt(wish: Wish) -> Wish:
    """Wish for what was compiled, and for all else at its version."""
    modules = wish.request.prebuilt[0]
    return Wish(replace(wish.request, version=modules.version, flavour=modules.flavour), wish.node, prebuilt=True)


def here(wish: Wish) -> Wish | None:
    """Wish for the modules that the node has already from another, if they are wanted: a repair of something else compiles nothing."""
    for flavour in flavours(wish.request.flavour, wish.node.gpus) if can(wish) else []:
        there = [wish.node.installed.get(package_name(flavour, kernel)) for kernel in wish.node.kernels]
        version, *others = {upstream(package.version) if package else "" for package in there}
        if version and not others and matches(wish.request.version, version) and wish.kept in {"", version}:
            return Wish(replace(wish.request, version=version, flavour=flavour), wish.node, prebuilt=True)
    return None


def sharing(wish: Wish, planned: Mapping[str, Any], unsigned: str) -> dict[str, Any]:
    """Say what this node would have to compile: the same file on two nodes is the same modules."""
    if not can(wish):
        return {}
    request, node = wish.request, wish.node
    version, flavour = planned["version"], planned["flavour"]
    choice = Choice(request.source, node.architecture, version, None)
    names = compilers(request.system, choice)
    files = {kernel: file_name(package_name(flavour, kernel), version, DEBIAN_ARCHITECTURES[node.architecture]) for kernel in node.kernels}
    return {
        "modules": [{"kernel": kernel, "file": f"{request.system.name}/{request.source}/{name}"} for kernel, name in files.items()],
        "compilers": names,
        # It is half-way there, or needs a repair: it goes on as it began.
        "compiles": any(name in node.installed and upstream(node.installed[name].version) == version for name in names),
        "unsigned": unsigned,
    }
