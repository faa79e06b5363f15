"""Plan for a driver without packages: one that somebody put there before, or that NVIDIA's installer brings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.driver.local import run
from ansible_collections.gpu.fleet.plugins.module_utils.driver.misfit import flavours, refuse_misfit
from ansible_collections.gpu.fleet.plugins.module_utils.driver.node import Node
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.request import Request
from ansible_collections.gpu.fleet.plugins.module_utils.driver.version import matches, upstream

_FOLDERS = ("usr/lib/*-linux-gnu", "usr/lib/*-linux-gnu/nvidia", "usr/lib/*-linux-gnu/nvidia/current", "usr/lib64", "usr/lib")

# It lies there while the installer is at work: where that was killed, files of its version may be there and others not.
_UNFINISHED = "var/lib/gpu-fleet/nvidia_installer"


def library_versions(root: Path) -> list[str]:
    """Return the versions of the driver's libraries, which NVML's files have in their names: several only where something went wrong."""
    names = {path.name for folder in _FOLDERS for path in root.glob(f"{folder}/libnvidia-ml.so.*")}
    return sorted({match[1] for match in map(re.compile(r"libnvidia-ml\.so\.(\d{3}\.[\d.]+)").fullmatch, names) if match})


def libraries(root: Path) -> str:
    """Return the version of the driver's libraries; nothing without it, refused where there are two."""
    versions = library_versions(root)
    if len(versions) > 1:
        raise Refusal(
            f"libraries of the driver at {' and '.join(versions)} on the node",
            "one version",
            "remove the one that is not wanted, by the way that it came: a package, or `nvidia-uninstall`",
        )
    return versions[0] if versions else ""


def preinstalled(request: Request, root: Path) -> dict[str, Any]:
    """Take the driver that is there, if it is the wanted one."""
    found = libraries(root)
    if not found or not matches(request.version, found):
        raise Refusal(
            f"{f'driver {found}' if found else 'no driver'} on the node, whose driver is said to be preinstalled",
            f"driver {request.version}" if request.version else "one",
            "install it by whatever way this node gets it, or set nvidia_driver_source to a source that this role installs from",
        )
    return {"converged": True, "version": found, "had": found, "flavour": "", "units": []}


def runfile(request: Request, node: Node, root: Path) -> dict[str, Any]:
    """Run NVIDIA's installer where its version is not the one that is there."""
    installer = request.runfile
    if installer is None:
        raise Refusal("no nvidia_driver_runfile", "the path or address of NVIDIA's installer", "set it and nvidia_driver_runfile_checksum")
    version = installer.version
    if not matches(request.version, version):
        raise Refusal(f"{installer.place}", f"driver {request.version}", "name the installer of that version, or set nvidia_driver_version")
    flavour = flavours(request.flavour, node.gpus)[0] if request.flavour else ""
    if flavour:
        refuse_misfit(node.gpus, flavour, version)
        node.secure_boot.refuse_unsigned(request.signing, root)
    libraries_of = [rule for source in request.system.sources.values() for rule in source.rules if rule.part == "libraries"]
    packaged = sorted(name for name in node.installed if any(rule.names_it(name) for rule in libraries_of))
    if packaged:
        raise Refusal(
            f"the driver's package {packaged[0]} on the node",
            "no packages of the driver where NVIDIA's installer is to bring it, since both write the same files",
            "remove the packages, or set nvidia_driver_source to the source that they are from",
        )
    fabric = node.fabric if request.fabric == "auto" else request.fabric
    units = _links(request, node, version) if flavour and fabric != "none" else []
    missing = [path for path in request.files if not (root / path.lstrip("/")).exists()]
    found = libraries(root)
    # It compiles for one kernel, and a later one has no module unless DKMS was there to compile that.
    whole = not (root / _UNFINISHED).exists() and (not flavour or _has_module(root, node.kernels[0], version))
    return {
        "converged": found == version and whole and not missing,
        "version": version,
        "had": found,
        "available": [version],
        "flavour": flavour,
        "runfile": installer.name,
        "unfinished": f"/{_UNFINISHED}",
        "units": units,
        "fabric": fabric,
    }


def _has_module(root: Path, kernel: str, version: str) -> bool:
    """Tell whether a kernel has the module of this version on disk."""
    try:
        return run("modinfo", "-b", str(root), "-k", kernel, "-F", "version", "nvidia").stdout.strip() == version
    except FileNotFoundError:  # without modinfo, nothing loads modules either
        return False


def _links(request: Request, node: Node, version: str) -> list[str]:
    """Return the service that links the GPUs by NVSwitches; refused where it is not there, since CUDA does not start without it."""
    rules = [rule for source in request.system.sources.values() for rule in source.rules if rule.part == "fabric"]
    managers = {
        name: upstream(package.version)
        for name, package in node.installed.items()
        if "fabric" in name and any(rule.names_it(name) for rule in rules)
    }
    if version not in managers.values():
        there = ", ".join(f"{name} {found}" for name, found in sorted(managers.items()))
        raise Refusal(
            f"NVSwitches, and {there or 'no fabric manager'} on the node",
            f"the package of fabric manager {version}, which NVIDIA's installer does not bring and without which CUDA does not start",
            "install it at that version from NVIDIA's repository, or set nvidia_driver_source to nvidia, which brings it",
        )
    return ["nvidia-fabricmanager"]
