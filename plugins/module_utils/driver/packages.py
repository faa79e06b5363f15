"""The one answer to which packages make a node's driver: a pure function of the system and of what was chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ansible_collections.gpu.fleet.plugins.module_utils.driver.module_package import package_name
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.rule import ARCHITECTURES, Rule
from ansible_collections.gpu.fleet.plugins.module_utils.driver.system import NVIDIA, WITHOUT_PACKAGES, PackageSource, System
from ansible_collections.gpu.fleet.plugins.module_utils.driver.version import branch_of
from ansible_collections.gpu.fleet.plugins.module_utils.gpu_generation import FLAVOURS

# What links the GPUs: nothing that needs a manager; NVSwitches; those of NVLink 5 (B200 and later), which need a subnet manager too.
FABRICS = {"none": (), "nvswitch": ("fabric",), "nvlink5": ("fabric", "nvlink5")}
_SWITCHES = {"fabric": "NVSwitches", "nvlink5": "NVSwitches of NVLink 5"}


@dataclass(frozen=True)
class Module:
    """The kernel module, where it is managed."""

    flavour: str
    kernels: tuple[str, ...]  # as `uname -r` has them: the running one, and the one that the next boot starts where that is another
    kernel_kind: str  # what the distribution calls kernels of this kind, such as generic-hwe-24.04: their newest is the next that boots
    persistence: bool = True
    prebuilt: bool = False  # compiled on another node, so that it is a package for each kernel here

    def __post_init__(self) -> None:
        """Refuse a kernel that no package's name could be made of."""
        if not all((*self.kernels, self.kernels, self.kernel_kind)):
            raise ValueError(f"found kernels {self.kernels!r} of kind {self.kernel_kind!r}, expected both")


@dataclass(frozen=True)
class Choice:
    """What one node is to have."""

    source: str
    architecture: str
    version: str  # exact or a branch; empty where the source's names do not depend on it
    module: Module | None
    fabric: str = "none"


@dataclass(frozen=True)
class Packages:
    """The answer. Each list is sorted."""

    first: tuple[str, ...] = ()  # installed before all others, since they decide about the others' versions
    same: tuple[str, ...] = ()  # all of one version, the driver's
    own: tuple[str, ...] = ()  # with versions of their own
    headers: tuple[str, ...] = ()  # what DKMS compiles against, where it does: for this kernel, and for the next
    modules: tuple[str, ...] = ()  # modules that another node compiled, of the driver's version: in no repository
    kernel: tuple[str, ...] = ()  # what brings the next kernel, for which these have no module: held where it is there, and never installed
    held: tuple[str, ...] = ()  # what `hold` keeps as it is
    hold: str = ""
    stream: str = ""  # the module stream that is enabled before
    repository: str = ""  # the folder in NVIDIA's repository


def choose(system: System, choice: Choice) -> Packages:
    """Return the packages, or refuse what cannot be."""
    if choice.source in WITHOUT_PACKAGES:
        return Packages()
    source = system.source(choice.source)
    flavour = choice.module.flavour if choice.module else ""
    _refuse_unknown("architecture", choice.architecture, ARCHITECTURES)
    _refuse_unknown("kind of fabric", choice.fabric, FABRICS)
    _refuse_unknown("flavour of the kernel module", flavour, FLAVOURS if choice.module else ("",))
    branch = _branch(source, choice)
    if choice.module and choice.module.prebuilt and not source.compiles:
        raise Refusal(
            f"a kernel module that another node compiled, for source {choice.source} of {system.name.replace('-', ' ')}",
            "a source whose packages compile it, and apt",
            "set nvidia_driver_build to everywhere",
        )
    parts = _parts(choice)
    rules = [rule for rule in source.rules if rule.part in parts and rule.applies(flavour, choice.architecture, branch)]
    for part in FABRICS[choice.fabric]:
        if not any(rule.part == part for rule in rules):
            raise Refusal(
                f"{_SWITCHES[part]} on the node, and nothing for them in source {choice.source}",
                f"a source of {system.name.replace('-', ' ')} that has what they need",
                "take a newer branch" if choice.source == NVIDIA else f"set nvidia_driver_source to {NVIDIA}",
            )
    return _answer(source, choice, branch, rules)


def _parts(choice: Choice) -> set[str]:
    parts = {"pinning", "holding", "libraries", *FABRICS[choice.fabric]}
    if choice.module:
        parts |= {"module", "kernel"} if choice.module.prebuilt else {"module", "build", "headers"}
        if choice.module.persistence:
            parts.add("persistence")
    return parts


def _branch(source: PackageSource, choice: Choice) -> int:
    """Return the branch, or 0 where none is named and none is needed."""
    if not choice.version and not source.needs_branch:
        return 0
    branch = branch_of(choice.version)
    if branch < source.first_branch:
        raise Refusal(
            f"driver {choice.version} from source {choice.source}",
            f"branch {source.first_branch} or later, since what older ones are made of is not known there",
            "set nvidia_driver_version to such a branch",
        )
    return branch


def _answer(source: PackageSource, choice: Choice, branch: int, rules: list[Rule]) -> Packages:
    module = choice.module
    values = {"branch": str(branch), "version": choice.version, "kernel_kind": module.kernel_kind if module else ""}
    kernels = module.kernels if module else ("",)

    def names(wanted: Callable[[Rule], bool]) -> tuple[str, ...]:
        templates = [name for rule in rules if wanted(rule) for name in rule.names]
        return tuple(sorted({name.format_map({**values, "kernel": kernel}) for name in templates for kernel in kernels}))

    beside = {"pinning", "headers", "kernel"}
    modules = tuple(sorted(package_name(module.flavour, kernel) for kernel in kernels)) if module and module.prebuilt else ()
    # Libraries are in each stream, so that without a kernel module any would do.
    stream = source.streams.get(module.flavour if module else FLAVOURS[0], "")
    return Packages(
        first=names(lambda rule: rule.part == "pinning"),
        same=names(lambda rule: rule.part not in beside and not rule.own_version),
        own=names(lambda rule: rule.part not in beside and rule.own_version),
        headers=names(lambda rule: rule.part == "headers"),
        modules=modules,
        kernel=names(lambda rule: rule.part == "kernel"),
        held=tuple(sorted({*names(lambda rule: rule.is_held and rule.part != "kernel"), *modules})),
        hold=source.hold,
        stream=stream.format_map(values),
        repository=f"{source.repository}/{ARCHITECTURES[choice.architecture]}" if source.repository else "",
    )


def compilers(system: System, choice: Choice) -> list[str]:
    """Return the packages of a source that compile the kernel module with DKMS, of whatever flavour: none goes with compiled ones."""
    source = system.source(choice.source)
    branch = _branch(source, choice)
    rules = [rule for rule in source.rules if rule.part == "build"]
    applying = [rule for rule in rules if any(rule.applies(flavour, choice.architecture, branch) for flavour in FLAVOURS)]
    templates = {name for rule in applying for name in rule.names}
    names = {name.format_map({"branch": str(branch), "version": choice.version}) for name in templates}
    return sorted(name for name in names if "dkms" in name)


def _refuse_unknown(what: str, found: str, known: Iterable[str]) -> None:
    if found not in known:
        raise Refusal(f"the {what} {found!r}", f"one of {', '.join(known)}", "ask for one of them")
