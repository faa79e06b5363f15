"""What the inventory asks of the driver."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.gpu.fleet.plugins.module_utils.driver.module_package import Provenance
from ansible_collections.gpu.fleet.plugins.module_utils.driver.runfile import RunFile
from ansible_collections.gpu.fleet.plugins.module_utils.driver.secure_boot import Signing
from ansible_collections.gpu.fleet.plugins.module_utils.driver.system import System

# Under it is a folder for each distribution, and in that one for each architecture.
REPOSITORY_URL = "https://developer.download.nvidia.com/compute/cuda/repos"


@dataclass(frozen=True)
class Request:
    """For all nodes of a system alike."""

    system: System
    source: str
    version: str = ""  # exact, a branch, or nothing
    fleet_version: str = ""  # the exact one that all nodes which are asked for this version or branch have agreed on
    flavour: str = ""  # of the kernel module: open, proprietary, auto; empty where the module is not managed
    kernels: tuple[str, ...] = ()  # for which it has a module; empty: the running one, and the one that boots next
    build_once: bool = False  # whether a module that another node compiled is as good as one that is compiled here
    prebuilt: tuple[Provenance, ...] = ()  # such modules, one for each kernel
    persistence: bool = True
    fabric: str = "auto"  # what links the GPUs, or to look
    extra_packages: tuple[str, ...] = ()  # of the driver's version, besides those that the system's data names
    files: tuple[str, ...] = ()  # without these a node is not as it should be
    archive_origin: str = ""  # how the distribution's archive names itself, where not as usual
    repository_url: str = REPOSITORY_URL
    key_url: str = ""  # empty: the file in the repository that the system's data names
    key_fingerprint: str = ""  # empty: what the system's data says
    remove_leftovers: bool = False
    signing: Signing = field(default_factory=lambda: Signing("", ""))
    runfile: RunFile | None = None
    bare: bool = False  # plan as for a node of its kind that has nothing of the driver
