"""The options that hand GPUs to a container, for roles that start containers."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.gpu.fleet.plugins.module_utils import gpu_container


def gpu_options(docker_info: dict[str, Any], gpus: str | list[str | int] = "all") -> list[str]:
    """Return the options of `docker run` for these GPUs."""
    try:
        return gpu_container.gpu_options(docker_info, gpus)
    except (AttributeError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"gpu.fleet.gpu_options: {error}") from error


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, Any]:
        """Name it."""
        return {"gpu_options": gpu_options}
