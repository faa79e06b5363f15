"""Give each workspace of a node its GPUs, ports and user, and hold what it asks for against what the node has.

What a node has (`node`, seen by roles/jupyter/files/look.py):

  gpus        list of {index, uuid, mig: [{index, uuid}]}
  no_gpus     why the node's GPUs could not be listed; empty where they could, or where it is too early to ask
  claims      what the workspaces that are there have: {name: {gpus: [uuid], jupyter_port, ssh_port}}
  leaving     names of workspaces that are there and leave in this run, so that what they have is free
  listening   [[address, port]] of all that listens on TCP, the workspaces that are there included
  users       {login name: [uid, gid]} of those that workspaces are for and the node knows
  numbers     uids of all accounts that the node knows
  homes       {path of data: [uid, gid]} of the home directories that are there
  missing     paths that workspaces name and that are not there, or did not answer
  owners      {path of data: {that path, or one that it lies in: uid of its owner, where that is not root}}
  free_bytes  {path of data: bytes that are free there}
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from ansible_collections.gpu.fleet.plugins.module_utils.workspaces import devices, ports
from ansible_collections.gpu.fleet.plugins.module_utils.workspaces.claims import clashes
from ansible_collections.gpu.fleet.plugins.module_utils.workspaces.hub import FIRST_UID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def place(workspaces: Sequence[Mapping[str, Any]], node: Mapping[str, Any], smallest_free_bytes: int) -> list[dict[str, Any]]:
    """Return complete workspaces with `gpus`, `gpu_uuids`, ports, `uid`, `gid` and `base_url` settled.

    A workspace keeps what it has as long as its entry allows that. Raises ValueError with every problem, before anything is changed.
    """
    problems: list[str] = []
    placed = [{**workspace, "base_url": f"/{workspace['name']}/"} for workspace in workspaces]
    _give_users(placed, node, problems)
    ports.give(placed, node, problems)
    devices.give(placed, node, problems)
    problems += [*ports.in_use(placed, node), *clashes(placed), *_missing(placed, node)]
    problems += [*_replaceable(placed, node), *_too_full(placed, node, smallest_free_bytes)]
    if problems:
        raise ValueError(f"{'; '.join(problems)}. Next: correct jupyter_workspaces in the inventory, or the node. Nothing was changed")
    return placed


def _give_users(placed: Sequence[dict[str, Any]], node: Mapping[str, Any], problems: list[str]) -> None:
    """Give each user a number that is nobody else's, and the same wherever the user is."""
    # What root made is nobody's yet.
    homes = {path: numbers for path, numbers in node["homes"].items() if 0 not in numbers}
    said = {workspace["user"]: [workspace["uid"], None] for workspace in placed if workspace["uid"]}
    had = {workspace["user"]: homes[workspace["data"]] for workspace in placed if workspace["data"] in homes}
    hub = {path.rpartition("/")[2]: numbers for path, numbers in homes.items()}
    taken = {int(uid) for uid, _ in (*said.values(), *homes.values(), *node["users"].values())} | set(node["numbers"])
    free = (uid for uid in count(FIRST_UID) if uid not in taken)
    new: dict[str, Any] = {}
    for workspace in placed:
        user = workspace["user"]
        known = (
            node["users"].get(user)
            or homes.get(workspace["data"])
            or next((names[user] for names in (said, had, hub, new) if user in names), None)
        )
        uid, gid = known or new.setdefault(user, [next(free), None])
        workspace["uid"] = int(workspace["uid"] or uid)
        workspace["gid"] = int(workspace["gid"] or (gid if workspace["uid"] == uid and gid else workspace["uid"]))
        if workspace["uid"] == 0:
            problems.append(f"workspace {workspace['name']}: found that {user} is root by another name on the node, expected anybody else")


def _missing(placed: Sequence[Mapping[str, Any]], node: Mapping[str, Any]) -> Iterator[str]:
    for workspace in placed:
        for path in (*workspace["datasets"], *(volume.split(":")[0] for volume in workspace["volumes"])):
            if path in node["missing"]:
                yield f"workspace {workspace['name']}: found no directory {path} that answers on the node, expected one"


def _replaceable(placed: Sequence[Mapping[str, Any]], node: Mapping[str, Any]) -> Iterator[str]:
    """Say whose data lies where a user of the node could put a link in its place, and so be given what is root's."""
    names = {int(uid): name for name, (uid, _) in node["users"].items()}
    for workspace in placed:
        for path, uid in node["owners"].get(workspace["data"], {}).items():
            if uid in names:
                yield (
                    f"workspace {workspace['name']}: found that {path} is {names[uid]}'s, who could lead the data {workspace['data']} "
                    "elsewhere, expected a place in root's directories"
                )


def _too_full(placed: Sequence[Mapping[str, Any]], node: Mapping[str, Any], smallest: int) -> Iterator[str]:
    for workspace in placed:
        free = node["free_bytes"].get(workspace["data"])
        if free is not None and free < smallest and workspace["name"] not in node["claims"]:
            yield (
                f"workspace {workspace['name']}: found {free / 1e9:.1f} GB free for {workspace['data']}, "
                f"expected at least {smallest / 1e9:.1f} GB (jupyter_min_free_gb)"
            )
