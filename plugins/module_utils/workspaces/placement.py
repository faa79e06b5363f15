"""Give each workspace of a node its GPUs, ports and user, and hold what it asks for against what the node has.

What a node has (`node`, seen by roles/jupyter/files/look.py):

  gpus        list of {index, uuid, mig: [{index, uuid}]}; empty where the node's GPUs could not be listed
  claims      what the workspaces that are there have: {name: {gpus: [uuid], jupyter_port, ssh_port}}
  leaving     names of workspaces that are there and leave in this run, so that what they have is free
  listening   [[address, port]] of all that listens on TCP, the workspaces that are there included
  users       {login name: [uid, gid]} of those that workspaces are for
  missing     paths that workspaces name and that are not there, or did not answer
  free_bytes  {path of data: bytes that are free there}
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from ansible_collections.gpu.fleet.plugins.module_utils.workspaces.claims import PORTS, clashes, overlap, shared_gpus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Where automatic ports begin, and how many there are.
_FIRST = {"jupyter_port": 8888, "ssh_port": 2222}
_PORTS = 1000
# The user of a workspace whose login name the node does not know.
_DEFAULT_UID = 1000


@dataclass(frozen=True)
class Device:
    """A GPU or a part of one."""

    name: str
    uuid: str
    gpu: str
    """The UUID of the GPU that it is, or is a part of."""

    def overlaps(self, other: Device) -> bool:
        """Say whether both are, or are in, the same piece of hardware."""
        return self.uuid == other.uuid or (self.gpu == other.gpu and self.gpu in (self.uuid, other.uuid))


def place(workspaces: Sequence[Mapping[str, Any]], node: Mapping[str, Any], smallest_free_bytes: int) -> list[dict[str, Any]]:
    """Return complete workspaces with `gpus`, `gpu_uuids`, ports, `uid`, `gid` and `base_url` settled.

    A workspace keeps what it has as long as its entry allows that. Raises ValueError with every problem, before anything is changed.
    """
    problems: list[str] = []
    placed = [{**workspace, "base_url": f"/{workspace['name']}/"} for workspace in workspaces]
    _give_users(placed, node)
    _give_ports(placed, node, problems)
    _give_gpus(placed, node, problems)
    problems += [*_ports_in_use(placed, node), *clashes(placed), *_missing(placed, node), *_too_full(placed, node, smallest_free_bytes)]
    if problems:
        raise ValueError(f"{'; '.join(problems)}. Next: correct jupyter_workspaces in the inventory, or the node. Nothing was changed")
    return placed


def _give_users(placed: Sequence[dict[str, Any]], node: Mapping[str, Any]) -> None:
    for workspace in placed:
        uid, gid = node["users"].get(workspace["user"], [_DEFAULT_UID, None])
        workspace["uid"] = int(workspace["uid"] or uid)
        workspace["gid"] = int(workspace["gid"] or (gid if workspace["uid"] == uid and gid else workspace["uid"]))


def _give_ports(placed: Sequence[dict[str, Any]], node: Mapping[str, Any], problems: list[str]) -> None:
    own = _own_ports(placed, node)
    named = [(w, key, int(w[key])) for w in placed for key in PORTS if w[key] != "auto"]
    taken = {port for _, port in node["listening"] if port not in own} | {port for _, _, port in named}
    _keep_ports(placed, node, named, taken, problems)
    for key, first in _FIRST.items():
        for workspace in placed:
            if workspace[key] != "auto":
                continue
            port = next((port for port in range(first, first + _PORTS) if port not in taken), None)
            if port is None:
                problems.append(f"workspace {workspace['name']}: found no free port from {first} to {first + _PORTS - 1} for {key}")
                continue
            workspace[key] = port
            taken.add(port)


def _keep_ports(
    placed: Sequence[dict[str, Any]],
    node: Mapping[str, Any],
    named: Sequence[tuple[Mapping[str, Any], str, int]],
    taken: set[int],
    problems: list[str],
) -> None:
    """Leave each the ports that it has. Who names one of them is refused: another port is a restart, which ends kernels."""
    kept: set[int] = set()
    for key, address in PORTS.items():
        for workspace in placed:
            had = int(node["claims"].get(workspace["name"], {}).get(key) or 0)
            if workspace[key] != "auto" or not had or had in kept:
                continue
            claims = [(w, k) for w, k, port in named if port == had and (w is workspace or overlap(w[PORTS[k]], workspace[address]))]
            others = [f"{w['name']} ({k})" for w, k in claims if w is not workspace]
            if others:
                problems.append(
                    f"found port {had} for {', '.join(others)}, which {workspace['name']} has as {key}: auto, "
                    f"expected one that nobody has; say another one, or auto, or give {workspace['name']} another one first"
                )
            elif not claims:
                workspace[key] = had
                kept.add(had)
    taken |= kept


def _own_ports(placed: Sequence[Mapping[str, Any]], node: Mapping[str, Any]) -> set[int]:
    """Return the ports that listen for workspaces of the list, or for those that leave in this run. Others' are in use."""
    names = {workspace["name"] for workspace in placed} | set(node["leaving"])
    return {int(claim[key]) for name, claim in node["claims"].items() if name in names for key in PORTS}


def _ports_in_use(placed: Sequence[Mapping[str, Any]], node: Mapping[str, Any]) -> Iterator[str]:
    own = _own_ports(placed, node)
    for workspace in placed:
        for key, address in PORTS.items():
            port = workspace[key]
            if (
                port != "auto"
                and int(port) not in own
                and any(p == int(port) and overlap(a, workspace[address]) for a, p in node["listening"])
            ):
                yield f"workspace {workspace['name']}: found port {port} ({key}) in use by another program, expected it to be free"


def _devices(node: Mapping[str, Any]) -> list[Device]:
    return [
        device
        for gpu in node["gpus"]
        for device in (
            Device(str(gpu["index"]), gpu["uuid"], gpu["uuid"]),
            *(Device(str(mig["index"]), mig["uuid"], gpu["uuid"]) for mig in gpu["mig"]),
        )
    ]


def _give_gpus(placed: Sequence[dict[str, Any]], node: Mapping[str, Any], problems: list[str]) -> None:
    devices = _devices(node)
    known = {word.lower(): device for device in devices for word in (device.name, device.uuid)}
    given: dict[str, list[Device]] = {}
    for workspace in placed:
        wanted = workspace["gpus"]
        if isinstance(wanted, int):
            continue
        absent = [] if wanted == "all" else [str(gpu) for gpu in wanted if str(gpu).lower() not in known]
        if absent and devices:
            has = ", ".join(f"{device.name} ({device.uuid})" for device in devices)
            problems.append(f"workspace {workspace['name']}: found no GPU {', '.join(absent)} on the node, expected some of {has}")
            continue
        names = [device.name for device in devices if device.uuid == device.gpu] if wanted == "all" else wanted
        given[workspace["name"]] = [known[str(name).lower()] for name in names] if devices else []
    for a, b in combinations([workspace for workspace in placed if workspace["name"] in given], 2):
        shared = sorted({d.name for d in given[a["name"]] for e in given[b["name"]] if d.overlaps(e)})
        if shared and (a["exclusive"] or b["exclusive"]):
            problems.append(shared_gpus(a, b, shared))
    counted = [workspace for workspace in placed if isinstance(workspace["gpus"], int)]
    had = {name: claim.get("gpus", []) for name, claim in node["claims"].items() if name not in node["leaving"]}
    # All keep what they have before one is given more, or a newcomer would take it.
    named = dict(given)
    for workspace in counted:
        given[workspace["name"]] = _kept(workspace, devices, had.get(workspace["name"], []), named, problems)
    for workspace in counted:
        _give_count(workspace, devices, given, {uuid for uuids in had.values() for uuid in uuids}, problems)
    for workspace in placed:
        workspace["gpu_uuids"] = [device.uuid for device in given.get(workspace["name"], [])]


def _kept(
    workspace: Mapping[str, Any],
    devices: Sequence[Device],
    had: Sequence[str],
    named: Mapping[str, Sequence[Device]],
    problems: list[str],
) -> list[Device]:
    """Return which of its GPUs a workspace keeps. Who names one of them is refused: other GPUs are a restart, which ends kernels."""
    name, count = workspace["name"], workspace["gpus"]
    mine = [device for device in devices if device.uuid == device.gpu and device.uuid in had]
    lost = {device.name: other for device in mine for other, theirs in named.items() if any(device.overlaps(their) for their in theirs)}
    kept = [device for device in mine if device.name not in lost][:count]
    if len(kept) < min(count, len(mine)):
        problems.append(
            f"found GPU {', '.join(lost)} for {', '.join(sorted(set(lost.values())))}, which {name} has by count (gpus: {count}), "
            f"expected GPUs that nobody has by count; say others, or a count, or give {name} others first by gpus: [...]"
        )
    return kept


def _give_count(
    workspace: dict[str, Any], devices: Sequence[Device], given: dict[str, list[Device]], had: set[str], problems: list[str]
) -> None:
    """Give a number of whole GPUs that nobody else has: first those that it kept, last those that others had."""
    name, count = workspace["name"], workspace["gpus"]
    taken = [device for others in given.values() for device in others]
    free = [device for device in devices if device.uuid == device.gpu and not any(device.overlaps(other) for other in taken)]
    free.sort(key=lambda device: device.uuid in had)
    mine = (given[name] + free)[:count]
    if len(mine) < count:
        problems.append(
            f"workspace {name}: found {len(mine)} GPUs that no other workspace has, expected {count}; "
            "a workspace with gpus: all, which is the default, has every one"
        )
    given[name] = sorted(mine, key=devices.index)
    workspace["gpus"] = [device.name for device in given[name]]


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
