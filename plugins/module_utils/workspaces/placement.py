"""Give each workspace of a node its GPUs, ports and user, and hold what it asks for against what the node has.

What a node has (`node`, seen by roles/jupyter/files/look.py):

  gpus        list of {index, uuid, mig: [{index, uuid}]}
  no_gpus     why the node's GPUs could not be listed; empty where they could, or where it is too early to ask
  claims      what the workspaces that are there have: {name: {gpus: [uuid], jupyter_port, ssh_port}}
  leaving     names of workspaces that are there and leave in this run, so that what they have is free
  listening   [[address, port]] of all that listens on TCP, the workspaces that are there included
  users       {login name: [uid, gid]} of those that workspaces are for
  missing     paths that workspaces name and that are not there, or did not answer
  free_bytes  {path of data: bytes that are free there}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.gpu.fleet.plugins.module_utils.workspaces import devices, ports
from ansible_collections.gpu.fleet.plugins.module_utils.workspaces.claims import clashes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# The user of a workspace whose login name the node does not know.
_DEFAULT_UID = 1000


def place(workspaces: Sequence[Mapping[str, Any]], node: Mapping[str, Any], smallest_free_bytes: int) -> list[dict[str, Any]]:
    """Return complete workspaces with `gpus`, `gpu_uuids`, ports, `uid`, `gid` and `base_url` settled.

    A workspace keeps what it has as long as its entry allows that. Raises ValueError with every problem, before anything is changed.
    """
    problems: list[str] = []
    placed = [{**workspace, "base_url": f"/{workspace['name']}/"} for workspace in workspaces]
    _give_users(placed, node)
    ports.give(placed, node, problems)
    devices.give(placed, node, problems)
    problems += [*ports.in_use(placed, node), *clashes(placed), *_missing(placed, node), *_too_full(placed, node, smallest_free_bytes)]
    if problems:
        raise ValueError(f"{'; '.join(problems)}. Next: correct jupyter_workspaces in the inventory, or the node. Nothing was changed")
    return placed


def _give_users(placed: Sequence[dict[str, Any]], node: Mapping[str, Any]) -> None:
    for workspace in placed:
        uid, gid = node["users"].get(workspace["user"], [_DEFAULT_UID, None])
        workspace["uid"] = int(workspace["uid"] or uid)
        workspace["gid"] = int(workspace["gid"] or (gid if workspace["uid"] == uid and gid else workspace["uid"]))


def _missing(placed: Sequence[Mapping[str, Any]], node: Mapping[str, Any]) -> Iterator[str]:
    for workspace in placed:
        for path in (*workspace["datasets"], *(volume.split(":")[0] for volume in workspace["volumes"])):
            if path in node["missing"]:
                yield f"workspace {workspace['name']}: found no directory {path} that answers on the node, expected one"


def _too_full(placed: Sequence[Mapping[str, Any]], node: Mapping[str, Any], smallest: int) -> Iterator[str]:
    for workspace in placed:
        free = node["free_bytes"].get(workspace["data"])
        if free is not None and free < smallest and workspace["name"] not in node["claims"]:
            yield (
                f"workspace {workspace['name']}: found {free / 1e9:.1f} GB free for {workspace['data']}, "
                f"expected at least {smallest / 1e9:.1f} GB (jupyter_min_free_gb)"
            )
