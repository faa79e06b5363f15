"""Containers with GPUs: does the engine answer, can it hand over GPUs, and does its CDI specification describe this node as it is."""

from __future__ import annotations

from collections import Counter

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import SOURCE, Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import node
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation
from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import CdiSpec, ContainerEngine
from ansible_collections.gpu.fleet.plugins.module_utils.observe.container_engine import FORBIDDEN, NO_ANSWER, NOT_ASKED, NOT_RUNNING, OK
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_NVIDIA = "nvidia"
_REFRESH = "refresh it with nvidia-ctk cdi generate --output="
_NAMED = 3


def engine(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require an engine that answers where it is meant to run; and, if the inventory says so, one that can hand GPUs to containers."""
    about, found = About("container_runtime", node(observation)), observation.system.container_engine
    wanted = expectation.container_runtime
    if wanted is False:
        return [about.skipped("the inventory says that no containers run here")]
    if found.is_unsupported and wanted:
        return [_failed(about, f"found no container engine ({found.why}), expected one: run the role gpu.fleet.container_engine", None)]
    absent = about.without(container_engine=found)
    return [absent or _engine(about, found.value, has_spec=observation.system.cdi.is_known, wanted=bool(wanted))]


def _engine(about: About, seen: ContainerEngine, *, has_spec: bool, wanted: bool) -> Finding:
    if seen.answer == FORBIDDEN:
        why = f"this user may not ask the {seen.name} engine ({seen.complaint})"
        return about.error(f"{why}; expected an answer: run this as root") if wanted else about.skipped(f"{why}: as root it would be asked")
    if seen.answer == NOT_RUNNING and not (seen.enabled or wanted):
        return about.skipped(f"the {seen.name} engine does not run, and is not to be started at boot")
    if seen.answer in (NOT_RUNNING, NO_ANSWER):
        advice = f"look at systemctl status {seen.name} and its journal"
        return _failed(about, f"found the {seen.name} engine {seen.answer} ({seen.complaint}), expected an answer: {advice}", seen.answer)
    ways = [*(["CDI"] if seen.cdi_folders and has_spec else []), *(["runtime nvidia"] if _NVIDIA in seen.runtimes else [])]
    if ways:
        return about.passed(f"{seen.name} {seen.version} hands over GPUs by {' or '.join(ways)}".replace("  ", " "), observed=ways)
    if seen.answer == NOT_ASKED or not wanted:
        return about.skipped(f"{seen.name} is not set up to hand GPUs to containers, and the inventory does not ask for it", observed=ways)
    return _failed(
        about,
        f"found {seen.name} {seen.version} with neither CDI nor the runtime nvidia, expected either: "
        "run the role gpu.fleet.nvidia_container_toolkit",
        ways,
    )


def cdi(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require, where the engine uses CDI, that what its specification names exists, is the running driver's, and is every GPU."""
    about, system = About("cdi", node(observation)), observation.system
    if expectation.container_runtime is False:
        return [about.skipped("the inventory says that no containers run here")]
    if not system.container_engine.is_known:
        return [about.skipped("no container engine here that could be asked; see the check container_runtime")]
    seen = system.container_engine.value
    if seen.answer not in (OK, NOT_ASKED) or not seen.cdi_folders:
        return [about.skipped("the container engine does not use CDI, as far as it tells")]
    absent = about.without(CDI=system.cdi)
    if absent:
        return [absent]
    specs = _effective(system.cdi.value)
    if not specs:
        return [about.skipped("no CDI specification here; see the check container_runtime")]
    return [_judge_spec(about, observation, specs)]


def _effective(specs: tuple[CdiSpec, ...]) -> list[CdiSpec]:
    """Leave out a specification of whose devices none holds, because a later folder names them all again."""
    folder = {device: _folder(spec) for spec in specs for device in spec.devices}  # the last one wins
    return [spec for spec in specs if not spec.devices or any(folder[device] == _folder(spec) for device in spec.devices)]


def _folder(spec: CdiSpec) -> str:
    return spec.path.rpartition("/")[0]


def _judge_spec(about: About, observation: Observation, specs: list[CdiSpec]) -> Finding:
    paths = " and ".join(spec.path for spec in specs)
    twice = [
        name for (_folder, name), count in Counter((_folder(spec), name) for spec in specs for name in spec.devices).items() if count > 1
    ]
    missing = [name for spec in specs for name in spec.missing]
    driver = observation.nvml.driver_version
    others = {version for spec in specs for version in spec.driver_versions if driver.is_known and version != driver.value}
    named = {name for spec in specs for name in spec.device_nodes}
    nodes = observation.device_nodes
    left_out = [f"/dev/nvidia{minor}" for minor in nodes.value if f"/dev/nvidia{minor}" not in named] if nodes.is_known else []
    refresh = f"{_REFRESH}{specs[-1].path}"
    if twice:
        return _failed(
            about,
            f"found the device {twice[0]} in more than one specification of {_folder(specs[-1])}, expected it in one: "
            f"the engine then hands over neither; remove one of {paths}",
            twice[:_NAMED],
        )
    if others:
        message = f"found {paths} made for driver {', '.join(sorted(others))}, expected {driver.value}, which runs: {refresh}"
        return _failed(about, message, sorted(others))
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        message = (
            f"found {paths} to name {', '.join(missing[:_NAMED])}{more}, expected only what this node has: "
            f"look for a GPU that is gone (lspci -d 10de:); where none is, {refresh}"
        )
        return _failed(about, message, missing[:_NAMED])
    if left_out:
        return _failed(about, f"found {paths} without {', '.join(left_out)}, expected every GPU: {refresh}", left_out)
    return about.passed(f"{paths} describes this node", observed=sorted(named), source="device nodes and the running driver")


def _failed(about: About, message: str, observed: object) -> Finding:
    return about.failed(
        message,
        observed=observed,
        expected="containers that get this node's GPUs",
        source=SOURCE if about.check == "container_runtime" else "device nodes and the running driver",
        action="investigate",
        kills_job=True,
    )
