"""How a container gets GPUs from the Docker engine of a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_VENDOR = "nvidia.com/gpu"


def gpu_options(docker_info: Mapping[str, Any], gpus: str | Sequence[str | int] = "all") -> list[str]:
    """Return the options of `docker run` that hand over `gpus`: `all`, or a list of indices or UUIDs (an empty list is no GPU).

    Decided by what the engine says of itself (`docker info --format '{{json .}}'`): CDI, else NVIDIA's own runtime.
    """
    chosen = _names(gpus)
    if not chosen:
        return []
    if docker_info.get("CDISpecDirs"):
        return [word for gpu in chosen for word in ("--device", f"{_VENDOR}={gpu}")]
    runtimes = docker_info.get("Runtimes") or {}
    if "nvidia" in runtimes:
        return ["--runtime", "nvidia", "--env", f"NVIDIA_VISIBLE_DEVICES={','.join(chosen)}"]
    raise ValueError(
        f"this Docker engine (version {docker_info.get('ServerVersion', 'unknown')}) cannot hand GPUs to containers: "
        f"found neither CDI nor the runtime 'nvidia' (runtimes: {', '.join(sorted(runtimes)) or 'none'}). "
        "Install the NVIDIA container toolkit (role gpu.fleet.nvidia_container_toolkit), which configures either"
    )


def _names(gpus: str | Sequence[str | int]) -> list[str]:
    names = [gpus] if isinstance(gpus, str) else [str(gpu) for gpu in gpus]
    names = [name.strip() for name in names]
    if any(not name or "," in name or (name == "all" and len(names) > 1) for name in names):
        raise ValueError(f"found gpus {gpus!r}, expected 'all' or a list of GPU indices or UUIDs such as [0, 1]")
    return names
