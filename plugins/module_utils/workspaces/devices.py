"""The GPUs of workspaces, and parts of GPUs, on their node (what a node has: see placement.py)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from ansible_collections.gpu.fleet.plugins.module_utils.workspaces.claims import shared_gpus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True)
class Device:
    """A GPU or a part of one."""

    name: str
    uuid: str
    gpu: str
    """The UUID of the GPU that it is, or is a part of."""
    is_sliced: bool = False
    """Whether it is a GPU that is in parts (MIG): these can be had, the whole cannot."""

    @property
    def is_whole(self) -> bool:
        """Say whether it is a GPU that can be had as one."""
        return self.uuid == self.gpu and not self.is_sliced

    def overlaps(self, other: Device) -> bool:
        """Say whether both are, or are in, the same piece of hardware."""
        return self.uuid == other.uuid or (self.gpu == other.gpu and self.gpu in (self.uuid, other.uuid))


def _devices(node: Mapping[str, Any]) -> list[Device]:
    return [
        device
        for gpu in node["gpus"]
        for device in (
            Device(str(gpu["index"]), gpu["uuid"], gpu["uuid"], is_sliced=bool(gpu["mig"])),
            *(Device(str(mig["index"]), mig["uuid"], gpu["uuid"]) for mig in gpu["mig"]),
        )
    ]


def give(placed: Sequence[dict[str, Any]], node: Mapping[str, Any], problems: list[str]) -> None:
    """Settle the GPUs: those that an entry names, those that a workspace has by count, and then whole ones that nobody has."""
    devices = _devices(node)
    if not devices:
        _give_unseen(placed, node, problems)
        return
    given: dict[str, list[Device]] = {}
    for workspace in placed:
        if not isinstance(workspace["gpus"], int):
            given[workspace["name"]] = _named(workspace, devices, problems)
    for a, b in combinations([workspace for workspace in placed if workspace["name"] in given], 2):
        shared = sorted({d.name for d in given[a["name"]] for e in given[b["name"]] if d.overlaps(e)})
        if shared and (a["exclusive"] or b["exclusive"]):
            problems.append(shared_gpus(a, b, shared))
    counted = [workspace for workspace in placed if workspace["name"] not in given]
    had = {name: claim.get("gpus", []) for name, claim in node["claims"].items() if name not in node["leaving"]}
    # All keep what they have before one is given more, or a newcomer would take it.
    named = dict(given)
    for workspace in counted:
        given[workspace["name"]] = _kept(workspace, devices, had.get(workspace["name"], []), named, problems)
    for workspace in counted:
        _give_count(workspace, devices, given, {uuid for uuids in had.values() for uuid in uuids}, problems)
    for workspace in placed:
        workspace["gpu_uuids"] = [device.uuid for device in given[workspace["name"]]]


def _named(workspace: Mapping[str, Any], devices: Sequence[Device], problems: list[str]) -> list[Device]:
    if workspace["gpus"] == "all":
        return [device for device in devices if device.uuid == device.gpu]
    known = {word.lower(): device for device in devices for word in (device.name, device.uuid)}
    words = [str(gpu).lower() for gpu in workspace["gpus"]]
    chosen = [known[word] for word in words if word in known]
    problems += [f"workspace {workspace['name']}: {mistake}" for mistake in _wrong_choice(chosen, devices)]
    absent = [str(gpu) for gpu in workspace["gpus"] if str(gpu).lower() not in known]
    if absent:
        has = ", ".join(f"{device.name} ({device.uuid})" for device in devices)
        problems.append(f"workspace {workspace['name']}: found no GPU {', '.join(absent)} on the node, expected some of {has}")
    return chosen


def _wrong_choice(chosen: Sequence[Device], devices: Sequence[Device]) -> Iterator[str]:
    for device in chosen:
        if device.is_sliced:
            parts = ", ".join(part.name for part in devices if part.gpu == device.gpu and part != device)
            yield f"found GPU {device.name}, which is in parts (MIG), expected one that is whole, or some of {parts}"
    for one, other in combinations(chosen, 2):
        if one.overlaps(other):
            yield f"found GPU {one.name} ({one.uuid}) and {other.name} ({other.uuid}), which are or share one, expected each once"


def _give_unseen(placed: Sequence[dict[str, Any]], node: Mapping[str, Any], problems: list[str]) -> None:
    """Refuse what cannot be held against the node's GPUs: whether an index and a UUID are one, for example."""
    for workspace in placed:
        if node["no_gpus"] and workspace["gpus"] and (workspace["gpus"] != "all" or workspace["exclusive"]):
            problems.append(
                f"workspace {workspace['name']}: found no list of the node's GPUs to give some of ({node['no_gpus']}), expected one; "
                "see what `nvidia-smi -L` says on the node"
            )
        workspace["gpus"] = [] if isinstance(workspace["gpus"], int) else workspace["gpus"]
        workspace["gpu_uuids"] = node["claims"].get(workspace["name"], {}).get("gpus", [])


def _kept(
    workspace: Mapping[str, Any],
    devices: Sequence[Device],
    had: Sequence[str],
    named: Mapping[str, Sequence[Device]],
    problems: list[str],
) -> list[Device]:
    """Return which of its GPUs a workspace keeps. Who names one of them is refused: other GPUs are a restart, which ends kernels."""
    name, count = workspace["name"], workspace["gpus"]
    mine = [device for device in devices if device.is_whole and device.uuid in had]
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
    free = [device for device in devices if device.is_whole and not any(device.overlaps(other) for other in taken)]
    free.sort(key=lambda device: device.uuid in had)
    mine = (given[name] + free)[:count]
    if len(mine) < count:
        problems.append(
            f"workspace {name}: found {len(mine)} whole GPUs that no other workspace has, expected {count}; "
            "a workspace with gpus: all, which is the default, has every one"
        )
    given[name] = sorted(mine, key=devices.index)
    workspace["gpus"] = [device.name for device in given[name]]
