"""Runs the probe, in the fleet's image or natively, and reads what it measured. Nothing is pulled, and nothing is left running."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Completed, Deadline, run
from ansible_collections.gpu.fleet.plugins.module_utils.gpu_container import gpu_options
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Probe
from ansible_collections.gpu.fleet.plugins.module_utils.plain import from_plain
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

CONTAINER, NATIVE = "container", "native"
INFO = ("docker", "info", "--format", "{{json .}}")

_INFO_S = 15.0
_CLEAN_UP_S = 10.0
_FIND_TORCH = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"
_PYTHONS = ("python3", "/opt/conda/bin/python3", "/opt/venv/bin/python3")


@dataclass(frozen=True)
class ProbeRequest:
    """How to run the probe. `device` is what it should use, `cuda` or `cpu`."""

    runtime: str
    image: str
    device: str
    folder: Path


def observe(request: ProbeRequest, deadline: Deadline) -> Reading[Probe]:
    """Run the probe; it ends, one way or another, before the deadline."""
    if request.runtime == CONTAINER:
        return _in_container(request, deadline)
    return _natively(request, deadline)


def native_command(python: str, request: ProbeRequest, seconds: float) -> list[str]:
    """Build the command that runs the probe with a Python of the node."""
    return [python, str(request.folder), *_arguments(request, seconds)]


def container_command(request: ProbeRequest, gpus: Sequence[str], name: str, seconds: float) -> list[str]:
    """Build the command that runs the probe in the image: with the GPUs, and without a network."""
    return [
        *("docker", "run", "--rm", "--name", name, "--label", "gpu.fleet=readiness"),
        *("--pull", "never", "--network", "none", "--shm-size", "1g"),
        *gpus,
        *("--volume", f"{request.folder}:/probe:ro", "--entrypoint", "python3"),
        *(request.image, "/probe", *_arguments(request, seconds)),
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


def _arguments(request: ProbeRequest, seconds: float) -> list[str]:
    return ["--device", request.device, "--seconds", f"{seconds:.0f}"]


def python_with_torch(deadline: Deadline) -> str:
    """Find a Python of this node that has PyTorch; raises ValueError."""
    for python in (sys.executable, *_PYTHONS):
        if run([python, "-c", _FIND_TORCH], deadline.at_most(_INFO_S)).complaint == "":
            return python
    tried = ", ".join((sys.executable, *_PYTHONS))
    raise ValueError(f"found no Python with PyTorch (tried {tried}), expected one: put it first in PATH, or use runtime container")


def engine_gpus(deadline: Deadline) -> list[str]:
    """Ask the Docker engine how it hands GPUs to a container: options of `docker run`; raises ValueError."""
    info = run(INFO, deadline.at_most(_INFO_S))
    if info.complaint:
        raise ValueError(f"the Docker engine does not answer: {info.complaint}")
    engine = json.loads(info.stdout)
    if engine.get("ServerErrors"):
        raise ValueError(f"the Docker engine does not answer: {'; '.join(engine['ServerErrors'])}")
    return gpu_options(engine)


def _natively(request: ProbeRequest, deadline: Deadline) -> Reading[Probe]:
    try:
        python = python_with_torch(deadline)
    except ValueError as error:
        return Reading.unreadable(str(error))
    return _result(run(native_command(python, request, deadline.left - 1), deadline), Reading.unsupported("not run in an image"))


def _in_container(request: ProbeRequest, deadline: Deadline) -> Reading[Probe]:
    try:
        gpus = engine_gpus(deadline)
    except ValueError as error:
        return Reading.unreadable(str(error))
    name = f"gpu-readiness-{secrets.token_hex(6)}"
    limit = deadline.at_most(deadline.left - min(_CLEAN_UP_S, deadline.left / 5))
    completed = run(container_command(request, gpus, name, limit.left - 1), limit)
    if completed.trouble:
        # The client is gone; the container is not.
        removed = run(["docker", "rm", "--force", name], deadline.at_most(_CLEAN_UP_S))
        left = f"; its container {name} could not be removed: {removed.complaint}" if removed.complaint else ""
        return Reading.unreadable(completed.trouble + left)
    if "No such image" in completed.stderr or "Unable to find image" in completed.stderr:
        return Reading.unreadable(
            f"found no image {request.image} on this node, expected it to be there (this check pulls nothing): "
            "run the role gpu.fleet.pytorch_image"
        )
    return _result(completed, _digest(request.image, deadline))


def _result(completed: Completed, image: Reading[str]) -> Reading[Probe]:
    if completed.complaint:
        return Reading.unreadable(f"the probe ended with {completed.complaint}")
    result = parse(completed.stdout)
    return Reading.of(replace(result.value, image=image)) if result.is_known else result
