"""The ports of workspaces on their node (what a node has: see placement.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.gpu.fleet.plugins.module_utils.workspaces.claims import PORTS, overlap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Where automatic ports begin, and how many there are.
_FIRST = {"jupyter_port": 8888, "ssh_port": 2222}
_PORTS = 1000


def give(placed: Sequence[dict[str, Any]], node: Mapping[str, Any], problems: list[str]) -> None:
    """Settle the ports: those that an entry names, those that a workspace has, and the first that are free."""
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


def in_use(placed: Sequence[Mapping[str, Any]], node: Mapping[str, Any]) -> Iterator[str]:
    """Say which ports something else listens on."""
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
