"""Asks the container engine what it is, and what it can hand over to containers."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Completed, Deadline, run
from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import ContainerEngine
from ansible_collections.gpu.fleet.plugins.module_utils.observe.program import find
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

OK, FORBIDDEN, NOT_RUNNING, NO_ANSWER, NOT_ASKED = "ok", "forbidden", "not running", "no answer", "not asked"
CDI_FOLDERS = ("/etc/cdi", "/var/run/cdi")
_PODMAN_IMAGES = "/var/lib/containers/storage"
_DOCKER_IMAGES, _CONTAINERD_IMAGES = "/var/lib/docker", "/var/lib/containerd"
_SECONDS = 10.0
_ENABLED = ("multi-user.target.wants", "default.target.wants")


def observe(root: Path, deadline: Deadline) -> Reading[ContainerEngine]:
    """Ask Docker. Podman has no daemon that could be down, and asking it would make folders: that it is there has to do."""
    docker = find(root, "docker")
    if docker is None:
        if find(root, "podman") is None:
            return Reading.unsupported("neither Docker nor Podman is installed here")
        return Reading.of(ContainerEngine("podman", NOT_ASKED, "", "", (), CDI_FOLDERS, (_PODMAN_IMAGES,), enabled=False))
    completed = run(info_command(docker), deadline.at_most(_SECONDS))
    enabled = any((root / "etc/systemd/system" / target / "docker.service").is_symlink() for target in _ENABLED)
    return parse(completed, enabled=enabled)


def info_command(docker: str = "docker") -> list[str]:
    """Build the command that prints what the engine says of itself."""
    return [docker, "info", "--format", "{{json .}}"]


def parse(completed: Completed, *, enabled: bool) -> Reading[ContainerEngine]:
    """Read its answer, or why there is none. The client prints some JSON even when the daemon does not answer."""
    if completed.trouble:
        return Reading.of(_silent(NO_ANSWER, completed.trouble, enabled=enabled))
    try:
        info = json.loads(completed.stdout or "{}")
        complaints = [*(info.get("ServerErrors") or []), *([completed.complaint] if completed.complaint else [])]
        if complaints:
            return _why_not("; ".join(complaints), enabled=enabled)
        if "ServerVersion" not in info:
            return Reading.unsupported("the program docker here is no Docker")
        return Reading.of(
            ContainerEngine(
                name="docker",
                answer=OK,
                complaint="",
                version=str(info["ServerVersion"]),
                runtimes=tuple(sorted(info.get("Runtimes") or {})),
                cdi_folders=tuple(info.get("CDISpecDirs") or ()),
                image_folders=_image_folders(info),
                enabled=enabled,
            )
        )
    except (ValueError, TypeError, AttributeError):
        return Reading.unreadable(f"docker info: found {completed.stdout[:80]!r}, expected a JSON object")


def _image_folders(info: dict[str, object]) -> tuple[str, ...]:
    """Docker's own store, and containerd's where Docker keeps its images there."""
    own = str(info.get("DockerRootDir") or "")
    elsewhere = _CONTAINERD_IMAGES if "io.containerd.snapshotter" in json.dumps(info.get("DriverStatus")) else ""
    return tuple(folder for folder in (own, elsewhere) if folder)


def _why_not(complaint: str, *, enabled: bool) -> Reading[ContainerEngine]:
    said = complaint.lower()
    if "permission denied" in said:
        return Reading.of(_silent(FORBIDDEN, complaint, enabled=enabled))
    if "cannot connect" in said or "failed to connect" in said or "is the docker daemon running" in said:
        return Reading.of(_silent(NOT_RUNNING, complaint, enabled=enabled))
    return Reading.unreadable(f"docker info: {complaint}")


def _silent(answer: str, complaint: str, *, enabled: bool) -> ContainerEngine:
    return ContainerEngine("docker", answer, complaint, "", (), (), (_DOCKER_IMAGES,), enabled=enabled)
