"""Look at one node's driver packages and plan what brings them all to one held version.

It changes nothing. What the repositories offer is found out in a scratch copy of apt's state: a version that does not exist, a package that
cannot be installed and a package that would have to go are all known before anything on the node has been touched.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.driver.installed import complete_and_held, kept_version
from ansible_collections.gpu.fleet.plugins.module_utils.driver.local import read
from ansible_collections.gpu.fleet.plugins.module_utils.driver.misfit import flavours
from ansible_collections.gpu.fleet.plugins.module_utils.driver.node import Node, kernel_kind, look
from ansible_collections.gpu.fleet.plugins.module_utils.driver.offers import Offers, keep_or_resolve, parse_policy
from ansible_collections.gpu.fleet.plugins.module_utils.driver.packages import Choice, Module, Packages, choose
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.scratch_apt import ScratchApt
from ansible_collections.gpu.fleet.plugins.module_utils.driver.system import System
from ansible_collections.gpu.fleet.plugins.module_utils.driver.version import upstream


@dataclass(frozen=True)
class Request:
    """What the inventory wants."""

    system: System
    source: str
    version: str
    extra_packages: tuple[str, ...]  # of the driver's version, besides those that the system's data names
    flavour: str  # of the kernel module: open, proprietary, auto; empty where the module is not managed
    persistence: bool
    origin: str  # how the distribution's archive names itself
    components: tuple[str, ...]
    files: tuple[str, ...]  # without these a node is not as it should be


def choices(request: Request, node: Node) -> dict[str, Packages]:
    """Return the packages by the flavour of the kernel module ("" without one), the best first.

    No version is named: it is found among what the sources offer, and the names must not depend on it.
    """
    fitting = flavours(request.flavour, node.gpus) if request.flavour else [""]
    kind = kernel_kind(node.kernel)
    modules = {flavour: Module(flavour, node.kernel, kind, persistence=request.persistence) if flavour else None for flavour in fitting}
    return {flavour: choose(request.system, Choice(request.source, node.architecture, "", module)) for flavour, module in modules.items()}


def plan(request: Request, node: Node) -> dict[str, Any]:
    """Leave what is as it should be, or else say what to install."""
    answers = choices(request, node)
    lists = {flavour: [*answer.same, *request.extra_packages] for flavour, answer in answers.items()}
    # These do not differ between the flavours.
    some = next(iter(answers.values()))
    headers = [name for name in some.headers if node.kernel in name]
    beside = [*some.own, *([] if node.has_headers else headers)]
    if all(package in node.installed for package in beside) and all(Path(path).exists() for path in request.files):
        for flavour, packages in lists.items():
            version = kept_version(node.installed, packages, request.version)
            if version and complete_and_held(node.installed, packages):
                return {"converged": True, "version": version, "flavour": flavour}
    with tempfile.TemporaryDirectory(prefix="nvidia-driver-plan-") as directory:
        apt = ScratchApt(Path(directory))
        sources = apt.complete(request.origin, list(request.components))
        names = {name for packages in lists.values() for name in packages}
        offers = parse_policy(apt.run("apt-cache", "policy", *sorted({*names, *beside, *some.headers})))
        if headers and headers[0] in beside:
            beside += next_headers(offers, node.kernel, headers[0], some)
        kept = kept_version(node.installed, names, request.version)
        flavour, versions = keep_or_resolve(offers, lists, request.version, kept)
        packages = [f"{name}={version}" for name, version in sorted(versions.items())] + beside
        return {
            "converged": False,
            "version": upstream(next(iter(versions.values()))),
            "flavour": flavour,
            "sources": [
                {"path": path, "text": text, "mode": f"{Path(path).stat().st_mode & 0o7777:04o}"} for path, text in sources.items()
            ],
            "packages": packages,
            "hold": sorted({*versions, *answers[flavour].held}),
            "changes": apt.simulate(packages),
        }


def next_headers(offers: Offers, kernel: str, headers: str, packages: Packages) -> list[str]:
    """Return the headers of whatever kernel of this kind comes next, as far as they are offered; refuse a kernel without its own."""
    if not offers.get(headers):
        raise Refusal(
            f"kernel {kernel} running, and no package with its headers",
            f"{headers} in the node's package sources, since DKMS compiles the module against it",
            "boot a kernel of the distribution, or set nvidia_driver_kernel_module to false where the module comes from elsewhere",
        )
    return [name for name in packages.headers if kernel not in name and offers.get(name)]


def answer(request: Request, pci_devices: Path) -> dict[str, Any]:
    """Plan for this node, and say in one word what module its kernel has now: its version, "nouveau" or nothing."""
    loaded = read(Path("/sys/module/nvidia/version")) or ("nouveau" if Path("/sys/module/nouveau").exists() else "")
    try:
        return {"loaded": loaded, **plan(request, look(pci_devices))}
    except (Refusal, OSError, subprocess.TimeoutExpired) as error:
        return {"loaded": loaded, "converged": False, "error": str(error)}
