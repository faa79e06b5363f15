"""Filter that checks shared data and holds it against a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleFilterError
from ansible_collections.gpu.fleet.plugins.module_utils.nfs.mounts import changes, complete, lines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def nfs_mounts(
    entries: Sequence[Mapping[str, Any]], seen: Sequence[Mapping[str, Any]], mount_timeout_s: int, idle_timeout_s: int
) -> dict[str, Any]:
    """Return what differs between the shared data that is wished and a node's fstab, or fail with every mistake."""
    try:
        wanted = lines(complete(entries), mount_timeout_s, idle_timeout_s)
    except ValueError as mistakes:
        raise AnsibleFilterError(str(mistakes)) from mistakes
    return changes(wanted, seen)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it by name."""
        return {"nfs_mounts": nfs_mounts}
