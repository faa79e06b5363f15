"""Runs the probe, in the fleet's image or natively, and reads what it measured. Nothing is pulled, and nothing is left running."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Completed, Deadline, run
from ansible_collections.gpu.fleet.plugins.module_utils.gpu_container import NCCL_IN_A_CONTAINER
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Nvml
from ansible_collections.gpu.fleet.plugins.module_utils.observation_probe import BurnIn, Probe
from ansible_collections.gpu.fleet.plugins.module_utils.observe.burn_in import BurnInRecord
from ansible_collections.gpu.fleet.plugins.module_utils.observe.progress import Progress
from ansible_collections.gpu.fleet.plugins.module_utils.observe.runtime import CONTAINER, engine_gpus, python_with_torch
from ansible_collections.gpu.fleet.plugins.module_utils.observe.sampling import Sampler, Watched
from ansible_collections.gpu.fleet.plugins.module_utils.observe.supervised import supervise
from ansible_collections.gpu.fleet.plugins.module_utils.plain import from_plain
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

_INFO_S = 15.0
_ENDING_S = 10.0  # of the supervisor's time: for a container to start and go, and for the probe to end what hangs
_CLEAN_UP_S = 10.0
_SAMPLE_S, _BURN_IN_SAMPLE_S = 0.25, 1.0
_SAMPLE = '{"burn_in": '  # so begins the probe's line for a sample
_NAMED = 8


@dataclass(frozen=True)
class BurnInRequest:
    """How long to burn in, where that is written down (None is nowhere), and whether it must start anew."""

    seconds: float
    path: Path | None
    anew: bool


@dataclass(frozen=True)
class ProbeRequest:
    """How to run the probe: where, at which level, and on what (`cuda` or `cpu`)."""

    runtime: str
    image: str
    device: str
    level: str
    folder: Path
    burn_in: BurnInRequest | None = None


def observe(request: ProbeRequest, bindings: Callable[[], Any], nvml: Nvml, deadline: Deadline, root: Path = Path("/")) -> Reading[Probe]:
    """Run the probe; it ends, one way or another, before the deadline. GPUs that somebody uses (as `nvml` says) are left alone."""
    busy = in_use(nvml) if request.device == "cuda" else ""
    if busy:
        return Reading.unreadable(busy)
    sampler = Sampler(bindings, deadline, _BURN_IN_SAMPLE_S if request.burn_in else _SAMPLE_S)
    try:
        course = _Course(request, root, Progress(root), deadline, Watched(sampler), _record(request, nvml))
        read = course.in_container() if request.runtime == CONTAINER else course.natively()
        if not read.is_known:
            return read
        burnt: Reading[BurnIn] = Reading.of(course.record.result()) if course.record else Reading.unsupported("only level burn_in does it")
        return Reading.of(replace(read.value, sampled=course.watched.during(read.value.phases), burn_in=burnt))
    finally:
        sampler.end()


def _record(request: ProbeRequest, nvml: Nvml) -> BurnInRecord | None:
    asked = request.burn_in
    if asked is None:
        return None
    gpus = nvml.gpus.value if nvml.gpus.is_known and request.device == "cuda" else ()
    return BurnInRecord(asked.path, asked.seconds, [gpu.uuid.value for gpu in gpus if gpu.uuid.is_known], anew=asked.anew)


def in_use(nvml: Nvml) -> str:
    """Say who uses the GPUs; empty where nobody does. What has ended uses nothing, and is another check's.

    A GPU that lists nobody is not free for that: only with MIG on may its slices do so in its place.
    """
    users, unclear = [], []
    for gpu in nvml.gpus.value if nvml.gpus.is_known else ():
        if gpu.processes.is_known:
            living = [process for process in gpu.processes.value if not process.alive.is_known or process.alive.value]
            users += [
                f"{one.pid} ({one.name}) on GPU {gpu.index}" + (f", {one.memory_mib.value} MiB" if one.memory_mib.is_known else "")
                for one in living
            ]
        elif gpu.state.is_known and gpu.state.value == "answers" and not (gpu.processes.is_unsupported and gpu.in_slices):
            unclear.append(f"GPU {gpu.index}: {gpu.processes.why}")
    if users:
        more = f" and {len(users) - _NAMED} more" if len(users) > _NAMED else ""
        return f"found the GPUs in use by process {'; '.join(users[:_NAMED])}{more}, expected nobody: drain the node first, then measure"
    return f"whether the GPUs are in use could not be read ({'; '.join(unclear[:_NAMED])}), so nothing was started" if unclear else ""


def arguments(request: ProbeRequest, seconds: float, record: BurnInRecord | None = None) -> list[str]:
    """Build the probe's arguments; `seconds` are those in which it must have ended."""
    burn_in = ["--burn-in-s", f"{record.left_s:.0f}", "--period-s", f"{record.period_s:.0f}"] if record else []
    return ["--device", request.device, "--level", request.level, "--seconds", f"{seconds:.0f}", "--while-stdin", *burn_in]


def native_command(python: str, request: ProbeRequest, arguments: Sequence[str]) -> list[str]:
    """Build the command that runs the probe with a Python of the node."""
    return [python, str(request.folder), *arguments]


def container_command(request: ProbeRequest, gpus: Sequence[str], name: str, arguments: Sequence[str]) -> list[str]:
    """Build the command that runs the probe in the image: with the GPUs, without a network, and with an input whose end is its own."""
    return [
        *("docker", "run", "--rm", "--interactive", "--name", name, "--label", "gpu.fleet=readiness"),
        *("--pull", "never", "--network", "none", "--shm-size", "1g"),
        *gpus,
        *NCCL_IN_A_CONTAINER,
        *("--volume", f"{request.folder}:/probe:ro", "--entrypoint", "python3"),
        *(request.image, "/probe", *arguments),
    ]


def parse(stdout: str) -> Reading[Probe]:
    """Read the probe's output: its last line, in JSON."""
    lines = [line for line in stdout.splitlines() if line.strip()]
    try:
        return Reading.of(from_plain(Probe, json.loads(lines[-1])))
    except (IndexError, ValueError) as error:
        found = repr(lines[-1][:120]) if lines else "nothing"
        return Reading.unreadable(f"found {found} as its last line, expected its result in JSON ({error})")


def digest_command(image: str) -> list[str]:
    """Build the command that prints under which digests the engine knows the image."""
    return ["docker", "image", "inspect", "--format", "{{json .RepoDigests}}", image]


def parse_digests(stdout: str, image: str) -> Reading[str]:
    """Read an image's digest. One that came from several registries has one for each: the one of the name that was asked for counts."""
    try:
        named = dict(each.rsplit("@", 1) for each in json.loads(stdout) or [])
    except (ValueError, TypeError, AttributeError):
        return Reading.unreadable(f"found {stdout.strip()[:80]!r}, expected the image's digests as a JSON list")
    digests = sorted(set(named.values()))
    name = image.partition("@")[0]
    digest = named.get(name) or named.get(name.rpartition(":")[0]) or (digests[0] if len(digests) == 1 else None)
    return Reading.of(digest) if digest else Reading.unsupported("the engine knows no digest of this image: it came from no registry")


def _digest(image: str, deadline: Deadline) -> Reading[str]:
    told = run(digest_command(image), deadline.at_most(_INFO_S))
    return Reading.unreadable(told.complaint) if told.complaint else parse_digests(told.stdout, image)


@dataclass(frozen=True)
class _Course:
    """One run of the probe."""

    request: ProbeRequest
    root: Path
    progress: Progress
    deadline: Deadline
    watched: Watched
    record: BurnInRecord | None

    def natively(self) -> Reading[Probe]:
        try:
            python = python_with_torch(self.deadline)
        except ValueError as error:
            return Reading.unreadable(str(error))
        completed = self._run(native_command(python, self.request, self._arguments(self.deadline)), self.deadline)
        return _result(completed, Reading.unsupported("not run in an image"))

    def in_container(self) -> Reading[Probe]:
        try:
            gpus = engine_gpus(self.deadline, self.root)
        except ValueError as error:
            return Reading.unreadable(str(error))
        name = f"gpu-readiness-{secrets.token_hex(6)}"
        limit = self.deadline.at_most(_without(_CLEAN_UP_S, self.deadline))
        completed = self._run(container_command(self.request, gpus, name, self._arguments(limit)), limit)
        if completed.trouble:
            # The client is gone; the container may not be.
            removed = run(["docker", "rm", "--force", name], Deadline(_CLEAN_UP_S))
            left = f"; its container {name} could not be removed: {removed.complaint}" if removed.complaint else ""
            completed = replace(completed, trouble=completed.trouble + left)
        if "No such image" in completed.stderr or "Unable to find image" in completed.stderr:
            return Reading.unreadable(
                f"found no image {self.request.image} on this node, expected it to be there (this check pulls nothing): "
                "run the role gpu.fleet.pytorch_image"
            )
        return _result(completed, _digest(self.request.image, self.deadline))

    def _run(self, command: Sequence[str], deadline: Deadline) -> Completed:
        self.progress.begin(self.request.level)
        completed = supervise(command, deadline, self._heed, self.progress.heed)
        self.progress.note("done" if not completed.complaint else completed.complaint)
        return completed

    def _arguments(self, limit: Deadline) -> list[str]:
        return arguments(self.request, _without(_ENDING_S, limit), self.record)

    def _heed(self, line: str) -> None:
        """Take a sample of a burn-in."""
        if self.record and line.startswith(_SAMPLE):
            sample = json.loads(line)["burn_in"]
            self.progress.note(self.record.add(sample, self.watched.take(sample["began"], sample["ended"])))


def _without(seconds: float, limit: Deadline) -> float:
    """Return what a limit leaves beside these seconds; a short one keeps most of it."""
    return limit.left - min(seconds, limit.left / 5)


def _result(completed: Completed, image: Reading[str]) -> Reading[Probe]:
    """Read what was measured, also of a probe that told it and then did not end well: that is then said as well."""
    result, complaint = parse(completed.stdout), completed.complaint
    if not result.is_known:
        return Reading.unreadable(f"the probe ended with {complaint}") if complaint else result
    stopped = ", ".join(filter(None, (result.value.stopped, complaint and f"ended badly ({complaint})")))
    return Reading.of(replace(result.value, image=image, stopped=stopped))
