"""What one node should have of the driver: what the inventory asks for, held against what the node is. Nothing is looked up for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.driver.installed import complete_and_held, installed_branch, kept_version
from ansible_collections.gpu.fleet.plugins.module_utils.driver.local import read
from ansible_collections.gpu.fleet.plugins.module_utils.driver.misfit import flavours, refuse_misfit
from ansible_collections.gpu.fleet.plugins.module_utils.driver.module_package import PREFIX
from ansible_collections.gpu.fleet.plugins.module_utils.driver.node import Node
from ansible_collections.gpu.fleet.plugins.module_utils.driver.offers import Complete
from ansible_collections.gpu.fleet.plugins.module_utils.driver.packages import Choice, Module, Packages, choose, compilers
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.repository import Repository
from ansible_collections.gpu.fleet.plugins.module_utils.driver.request import Request
from ansible_collections.gpu.fleet.plugins.module_utils.driver.rule import ARCHITECTURES
from ansible_collections.gpu.fleet.plugins.module_utils.driver.strangers import Own
from ansible_collections.gpu.fleet.plugins.module_utils.driver.system import PackageSource
from ansible_collections.gpu.fleet.plugins.module_utils.driver.version import branch_of, upstream

_IMEX_NODES = "etc/nvidia-imex/nodes_config.cfg"  # NVIDIA, IMEX guide: to be filled with the domain's addresses before the service starts


@dataclass(frozen=True)
class Wish:
    """For one node."""

    request: Request
    node: Node
    prebuilt: bool = False  # whether the kernel module comes compiled from another node

    @cached_property
    def source(self) -> PackageSource:
        """The source of packages."""
        return self.request.system.source(self.request.source)

    @property
    def origin(self) -> str:
        """How the distribution's archive names itself."""
        return self.request.archive_origin or self.source.origin

    @cached_property
    def repository(self) -> Repository | None:
        """NVIDIA's repository, where it is the source."""
        if not self.source.repository:
            return None
        url = f"{self.request.repository_url.rstrip('/')}/{self.source.repository}/{ARCHITECTURES[self.node.architecture]}"
        fingerprint = (self.request.key_fingerprint or self.source.key_fingerprint).replace(" ", "").upper()
        return Repository(url, self.request.key_url or f"{url}/{self.source.key}", fingerprint)

    @property
    def fabric(self) -> str:
        """What links the GPUs."""
        return self.node.fabric if self.request.fabric == "auto" else self.request.fabric

    @property
    def own(self) -> Own:
        """What on the node is the driver's own, from whatever source."""
        return Own([rule for source in self.request.system.sources.values() for rule in source.rules], self.node.installed)

    @cached_property
    def wanted(self) -> str:
        """The version or branch that is asked for; where none is, and names depend on it, the branch that the node has, or a usual one."""
        if self.request.version or not self.source.needs_branch:
            return self.request.version
        return installed_branch(self.node.installed, self.source.rules) or self.request.system.default_branch

    def answers(self, version: str) -> dict[str, Packages]:
        """Return the packages by the flavour of the kernel module ("" without one), the best first."""
        request, node = self.request, self.node
        fitting = flavours(request.flavour, node.gpus) if request.flavour else [""]
        some = Module("", node.kernels, node.kernel_kind, persistence=request.persistence, prebuilt=self.prebuilt)
        modules = {flavour: replace(some, flavour=flavour) if flavour else None for flavour in fitting}
        named = version if self.source.needs_branch else ""
        return {
            flavour: choose(request.system, Choice(request.source, node.architecture, named, module, self.fabric))
            for flavour, module in modules.items()
        }

    @cached_property
    def lists(self) -> dict[str, list[str]]:
        """What is of the driver's version, by flavour."""
        return {flavour: [*answer.same, *self.request.extra_packages] for flavour, answer in self._answers.items()}

    @cached_property
    def _answers(self) -> dict[str, Packages]:
        return self.answers(self.wanted)

    @cached_property
    def _some(self) -> Packages:
        # The headers do not differ between the flavours.
        return next(iter(self._answers.values()))

    @cached_property
    def kept(self) -> str:
        """The wanted version that the node has, as far as it has the driver."""
        names = {name for packages in self.lists.values() for name in packages}
        return kept_version(self.node.installed, names, self.request.version)

    def converged(self) -> tuple[str, str] | None:
        """Return version and flavour of a node that has all packages of one, held."""
        for flavour, answer in self._answers.items():
            packages = [*self.lists[flavour], *answer.modules]
            version = kept_version(self.node.installed, packages, self.request.version)
            held = [*packages, *self.kernel(flavour)]
            if version and complete_and_held(self.node.installed, held) and not self.beside(flavour):
                return version, flavour
        return None

    def in_the_way(self, flavour: str) -> list[str]:
        """Return what has to go: what compiles the module where it comes compiled, and compiled ones that are for nothing any more."""
        wanted = self._answers[flavour].modules
        others = [name for name in self.node.installed if name.startswith(PREFIX) and name not in wanted]
        choice = Choice(self.request.source, self.node.architecture, self.wanted, None)
        tools = compilers(self.request.system, choice) if self.prebuilt else []
        return sorted(others + [name for name in tools if name in self.node.installed]) if flavour else []

    def outgrown(self, version: str, flavour: str, named: Iterable[str], *, pinning: bool = False) -> list[str]:
        """Return what the node has of the driver at other versions or of another flavour, under names that this one does not have.

        Being held, it would keep the packages out that took its place. What pins versions is asked for apart: it goes first. A kernel
        module that is not managed stays.
        """
        module = ("module", "build", "persistence") if self.request.flavour else ()
        parts = {"pinning"} if pinning else {"libraries", "fabric", "nvlink5", *module}
        rules = [rule for rule in self.source.rules if rule.part in parts and not rule.own_version]
        return sorted(
            name
            for name, package in self.node.installed.items()
            if name not in {*named}
            and any(rule.names_it(name) and (upstream(package.version) != version or rule.flavour not in {"", flavour}) for rule in rules)
        )

    def compiled(self, version: str, flavour: str) -> list[str]:
        """Return the modules that the distribution compiled for one version of the driver, what brings the next kernel's after the others.

        Where that version is there already, only those that are missing: a repair is no upgrade.
        """
        names = [name for name in self._answers[flavour].own if self._is_compiled(name)]
        missing = [name for name in names if version != self.kept or name not in self.node.installed]
        return sorted(missing, key=lambda name: (not any(kernel in name for kernel in self.node.kernels), name))

    def compiled_for_others(self, version: str, flavour: str) -> list[str]:
        """Return such modules that keep the former version or flavour, being held: those of other kernels, branches and flavours."""
        there = {name for name in self.node.installed if self._is_compiled(name)}
        named = there & {*self._answers[flavour].own}
        return sorted(there - named) if self.request.flavour and (version != self.kept or not named) else []

    def _is_compiled(self, name: str) -> bool:
        return any(rule.is_compiled and rule.names_it(name) for rule in self.source.rules)

    def came_along(self, version: str, idle: Iterable[str]) -> list[str]:
        """Return what of the packages that nothing needs any more came with the driver at another version, and would stay at that."""
        rules = [rule for rule in self.source.rules if not rule.own_version]
        there = {name: upstream(self.node.installed[name].version) for name in idle if name in self.node.installed}
        return [name for name, other in there.items() if other != version and any(rule.names_it(name) for rule in rules)]

    def kernel(self, flavour: str) -> list[str]:
        """Return what the node has that would bring a kernel without a module."""
        return [name for name in self._answers[flavour].kernel if name in self.node.installed]

    def units(self, root: Path) -> list[str]:
        """Return the services that the node runs with the kernel module: what keeps the GPUs initialised, and what links them.

        IMEX, which shares memory over NVLink between nodes, stays off within one: it runs where somebody has listed the nodes.
        """
        if not self.request.flavour:
            return []
        linked = self.fabric != "none"
        lines = read(root / _IMEX_NODES).splitlines() if linked else []
        across = any(line.strip() and not line.lstrip().startswith("#") for line in lines)
        return ["nvidia-persistenced"] * self.request.persistence + ["nvidia-fabricmanager"] * linked + ["nvidia-imex"] * across

    def pinning(self, version: str) -> list[str]:
        """Return what pins that version, and what pins its branch: not each version has such a package."""
        exact, branch = (self.answers(number) for number in (version, str(branch_of(version))))
        return [name for answer in (exact, branch) for name in next(iter(answer.values())).first]

    @cached_property
    def headers(self) -> list[str]:
        """The packages with the headers of the kernels that the node has and boots next, as far as it lacks them."""
        without = [kernel for kernel in self.node.kernels if kernel not in self.node.with_headers]
        return [name for name in self._some.headers if any(kernel in name for kernel in without)]

    def names(self) -> set[str]:
        """Return all packages that the driver may need, of whatever flavour."""
        own = {name for answer in self._answers.values() for name in answer.own}
        return {*own, *self.headers, *self.next_headers(), *(name for packages in self.lists.values() for name in packages)}

    def beside(self, flavour: str) -> list[str]:
        """Return what is missing of the packages that have versions of their own, with the headers."""
        return [name for name in (*self._answers[flavour].own, *self.headers) if name not in self.node.installed]

    def next_headers(self) -> list[str]:
        """Return what brings the headers of whatever kernel of this kind comes later, where headers are missing."""
        if not self.headers:
            return []
        return [name for name in self._some.headers if not any(kernel in name for kernel in self.node.kernels)]

    def refuse_missing(self, names: list[str]) -> None:
        """Refuse what no source has: mostly a kernel that the source no longer, or not yet, knows."""
        for name in names:
            kernel = next((kernel for kernel in self.node.kernels if kernel in name), "")
            state = "running" if kernel == self.node.kernels[0] else "starting at the next boot"
            if kernel and name in self._some.headers:
                raise Refusal(
                    f"kernel {kernel} {state}, and no package with its headers",
                    f"{name} in the node's package sources, since DKMS compiles the module against it",
                    "boot a kernel of the distribution, or set nvidia_driver_kernel_module to false where the module comes from elsewhere",
                )
            if kernel:
                raise Refusal(
                    f"kernel {kernel} {state}, and no package with its compiled module",
                    f"{name} in the node's package sources",
                    "install and boot the archive's newest kernel, or set nvidia_driver_source to nvidia, whose module is compiled here",
                )
            raise Refusal(f"no package {name} in the node's package sources", "it, since the driver needs it", "add the source that has it")

    def outcome(self, version: str, available: Mapping[str, Complete]) -> dict[str, Any]:
        """Say which version it will be, of those that the node can have, and whether it has that one."""
        had = version if version == self.kept else ""
        return {"version": version, "had": had, "flavour": available[version].flavour, "available": list(available)}

    def fitting(self, available: Mapping[str, Complete]) -> dict[str, Complete]:
        """Return the versions that the node's GPUs can run, or refuse the newest of them all."""
        fitting, refusals = {}, []
        for version, whole in available.items():
            try:
                if whole.flavour:
                    refuse_misfit(self.node.gpus, whole.flavour, version)
                fitting[version] = whole
            except Refusal as refusal:
                refusals.append(refusal)
        if not fitting:
            raise refusals[0]
        return fitting
