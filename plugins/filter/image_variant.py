"""Filters that choose and verify the PyTorch image of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleFilterError
from ansible_collections.gpu.fleet.plugins.module_utils.image_variant import ImpossibleVariant, choose, mismatches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def image_variant(gpus: Mapping[str, Any], told: str = "auto", if_unknown: str = "") -> str:
    """Return the variant for what NVML said of a node, or what was told if it can run there."""
    capabilities = gpus.get("capabilities") or []
    if told == "cpu":
        return told
    if not capabilities:
        if told != "auto" or if_unknown:
            return if_unknown if told == "auto" else told
        raise AnsibleFilterError(
            f"found no GPU that NVML can read ({gpus.get('problem') or 'none listed'}), expected one to choose the image's CUDA variant "
            "by. Next: see what nvidia-smi says on the node, or name the variant with pytorch_image_variant"
        )
    try:
        return choose(capabilities, str(gpus["driver_version"]), told)
    except ImpossibleVariant as refusal:
        raise AnsibleFilterError(str(refusal)) from refusal


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {"image_variant": image_variant, "image_mismatches": mismatches}
