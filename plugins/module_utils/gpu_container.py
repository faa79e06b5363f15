"""How a container gets GPUs from the Docker engine of a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_VENDOR = "nvidia.com/gpu"
_VARIABLE = "NVIDIA_VISIBLE_DEVICES"
# Since 2.24 NCCL allocates what GPUs exchange through the host by calls that Docker's seccomp profile denies, and until 2.26.3 it does not
# try another way (NCCL's release notes): without this, GPUs that have no other path cannot work together in a container.
NCCL_IN_A_CONTAINER = ("--env", "NCCL_CUMEM_HOST_ENABLE=0")


def gpu_options(docker_info: Mapping[str, Any], gpus: str | Sequence[str | int] = "all", *, described: bool = True) -> list[str]:
    """Return the options of `docker run` that hand over `gpus`: `all`, or a list of indices or UUIDs (an empty list is no GPU).

    Decided by what the engine says of itself (`docker info --format '{{json .}}'`): CDI, else NVIDIA's own runtime. `described` is whether
    the node has a CDI specification of its GPUs: Docker 28.2 and later says that it does CDI also where there is none.
    """
    chosen = _names(gpus)
    if not chosen:
        # PyTorch's image asks for all, and where NVIDIA's runtime is the engine's default it would be given them.
        return ["--env", f"{_VARIABLE}=void"]
    _refuse_no_answer(docker_info)
    runtimes = docker_info.get("Runtimes") or {}
    names = [f"{_VENDOR}={gpu}" for gpu in chosen] if described else chosen
    if docker_info.get("CDISpecDirs") and described:
        return [word for name in names for word in ("--device", name)]
    if "nvidia" in runtimes:
        # By CDI's names the runtime does what the specification says, instead of a hook that sets the container's devices behind the
        # engine's back: those are gone at systemd's next daemon-reload.
        return ["--runtime", "nvidia", "--env", f"{_VARIABLE}={','.join(names)}"]
    raise ValueError(
        f"this Docker engine (version {docker_info.get('ServerVersion', 'unknown')}) cannot hand GPUs to containers: "
        f"found neither CDI nor the runtime 'nvidia' (runtimes: {', '.join(sorted(runtimes)) or 'none'}). "
        "Install the NVIDIA container toolkit (role gpu.fleet.nvidia_container_toolkit), which configures either"
    )


def _refuse_no_answer(docker_info: Mapping[str, Any]) -> None:
    """Refuse what the client prints, with an exit status of 0, where there is no engine."""
    errors = docker_info.get("ServerErrors")
    if errors or not docker_info:
        raise ValueError(
            f"found that the Docker engine does not answer ({'; '.join(errors or ['nothing said'])}), expected it to run: "
            "see systemctl status docker.service on the node"
        )


def _names(gpus: str | Sequence[str | int]) -> list[str]:
    names = [gpus] if isinstance(gpus, str) else [str(gpu) for gpu in gpus]
    names = [name.strip() for name in names]
    if any(not name or "," in name or (name == "all" and len(names) > 1) for name in names):
        raise ValueError(f"found gpus {gpus!r}, expected 'all' or a list of GPU indices or UUIDs such as [0, 1]")
    return names
