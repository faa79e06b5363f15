"""The list of workspaces as a whole: what two of them may not claim both."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from ansible_collections.gpu.fleet.plugins.module_utils.workspaces import entry as one

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104
# Which address a port is opened on.
PORTS = {"jupyter_port": "bind_address", "ssh_port": "ssh_bind_address"}


def complete(entries: Sequence[Mapping[str, Any]], places: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the entries with nothing left out. Raises ValueError with every mistake found, each with what was expected."""
    workspaces = [one.complete(entry, places) for entry in entries]
    problems = [
        f"workspace {workspace.get('name') or f'number {number}'}: {mistake}"
        for number, workspace in enumerate(workspaces, start=1)
        for mistake in one.mistakes(workspace)
    ]
    if not problems:
        problems = [*_twice(workspaces, "name"), *_data_twice(workspaces), *clashes(workspaces), *_gpus_twice(workspaces)]
    if problems:
        raise ValueError(f"{'; '.join(problems)}. Next: correct jupyter_workspaces in the inventory. Nothing was changed")
    return workspaces


def clashes(workspaces: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Two claims on a port clash when they are on one address, or when one of them is on every address."""
    claims = [
        (int(workspace[key]), str(workspace[address]), f"{workspace['name']} ({key})")
        for workspace in workspaces
        for key, address in PORTS.items()
        if workspace[key] != "auto"
    ]
    for (port, address, owner), (other_port, other_address, other) in combinations(claims, 2):
        if port == other_port and overlap(address, other_address):
            yield f"found port {port} for {owner} and for {other}, expected each to have its own"


def overlap(address: str, other: str) -> bool:
    """Say whether one port cannot be opened on both."""
    return address == other or bool({address, other} & set(_EVERYWHERE))


def _twice(workspaces: Sequence[Mapping[str, Any]], key: str) -> Iterator[str]:
    values = [str(workspace[key]) for workspace in workspaces]
    for value in sorted({value for value in values if values.count(value) > 1}):
        yield f"found {key} {value} {values.count(value)} times, expected each workspace to have its own"


def unclaimed_data(claims: Mapping[str, Mapping[str, Any]], leaving: Sequence[str], workspaces: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the data of workspaces that leave, but for what another one has, or has something in or around.

    `claims` are of all that are there, `workspaces` those that the node is to have: one may have been renamed and kept its data.
    """
    kept = [str(claim["data"]) for name, claim in claims.items() if name not in leaving and claim.get("data")]
    kept += [
        str(path)
        for workspace in workspaces
        for path in (workspace["data"], *workspace["datasets"], *map(one.source_of, workspace["volumes"]))
    ]
    data = [str(claims[name]["data"]) for name in leaving if claims.get(name, {}).get("data")]
    return [path for path in data if not any(_touch(path, other) for other in kept)]


def _data_twice(workspaces: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say which data is within another's: it would be read, and removed, with that."""
    for a, b in combinations(workspaces, 2):
        if _touch(str(a["data"]), str(b["data"])):
            found = f"{a['data']} for {a['name']} and {b['data']} for {b['name']}"
            yield f"found data {found}, expected each to have its own, outside of the other's"


def _touch(path: str, other: str) -> bool:
    """Say whether one is, or lies in, the other."""
    return f"{path}/".startswith(f"{other}/") or f"{other}/".startswith(f"{path}/")


def _gpus_twice(workspaces: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """As far as the words alone tell. That an index and a UUID are one GPU is seen on the node."""
    for a, b in combinations(workspaces, 2):
        if not (a["exclusive"] or b["exclusive"]) or isinstance(a["gpus"], int) or isinstance(b["gpus"], int):
            continue
        if "all" in (a["gpus"], b["gpus"]):
            shared = ["all"] if a["gpus"] and b["gpus"] else []
        else:
            shared = sorted({str(gpu) for gpu in a["gpus"]} & {str(gpu) for gpu in b["gpus"]})
        if shared:
            yield shared_gpus(a, b, shared)


def shared_gpus(a: Mapping[str, Any], b: Mapping[str, Any], gpus: Sequence[str]) -> str:
    """Say that two workspaces claim the same GPUs though one of them wants them for itself."""
    owner, other = (a, b) if a["exclusive"] else (b, a)
    return (
        f"found gpus {', '.join(gpus)} for {owner['name']}, which is exclusive, and for {other['name']}, expected nobody else to have them"
    )
