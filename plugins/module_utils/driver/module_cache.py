"""Who compiles the kernel module, and who takes what others compiled: the controller's folder of packages decides."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.driver.module_package import Provenance

# What a node does, besides `alone`: it compiles for itself, and nobody waits for it.
COMPILE, TAKE, WAIT, ALONE = "compile", "take", "wait", "alone"


def kept(folder: Path, file: str) -> dict[str, Any] | None:
    """Return a package that the folder has, with its provenance; nothing where its checksum is not what was written down beside it."""
    package = folder / file
    try:
        told = json.loads(package.with_suffix(".json").read_text(encoding="utf-8"))
        provenance = Provenance.parse(told)
        if hashlib.sha256(package.read_bytes()).hexdigest() != told["sha256"]:
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return {"file": str(package), "sha256": told["sha256"], "name": provenance.name, "provenance": provenance.plain()}


def share(plans: Mapping[str, Mapping[str, Any]], folder: Path) -> dict[str, dict[str, Any]]:
    """Return for each node that has to compile what it does, by the answers of gpu.fleet.nvidia_driver_plan.

    Nodes that need the same files are a group. Where the folder has them all, each takes them; else the first that can compile does, and
    the others wait for it.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for node, plan in plans.items():
        if plan.get("modules") and not plan.get("converged"):
            groups.setdefault(_files(plan), []).append(node)
    shares: dict[str, dict[str, Any]] = {}
    for files, nodes in groups.items():
        packages = [package for package in (kept(folder, file) for file in files) if package]
        whole = len(packages) == len(files)
        able = sorted((node for node in nodes if not plans[node]["unsigned"]), key=lambda node: not plans[node]["compiles"])
        compiling = able[0] if able and not whole else ""
        for node in nodes:
            does = COMPILE if node == compiling else ALONE if plans[node]["compiles"] else TAKE if whole else WAIT if compiling else ALONE
            expected = _expected(plans[node], compiling) if does == WAIT else []
            shares[node] = {"does": does, "from": compiling, "packages": packages if does == TAKE else expected}
    return shares


def _files(plan: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(module["file"] for module in plan["modules"])


def _expected(plan: Mapping[str, Any], node: str) -> list[dict[str, Any]]:
    """Return what the node that compiles is going to give."""
    unknown = Provenance(**dict.fromkeys(Provenance.__dataclass_fields__, ""))
    known = replace(unknown, version=plan["version"], flavour=plan["flavour"], built_on=node)
    return [{"provenance": replace(known, kernel=module["kernel"]).plain()} for module in plan["modules"]]
