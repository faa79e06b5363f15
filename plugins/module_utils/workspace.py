"""Complete and check the list of workspaces of a node before anything is changed."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# What an entry may leave out. `data` and `bind_address` depend on the role's variables.
DEFAULTS: dict[str, Any] = {"uid": 1000, "gpus": "all", "jupyter_port": 8888, "ssh_port": 2222, "options": []}
REQUIRED = ("name", "user", "authorized_keys")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
# Absolute, below a top-level directory, and nothing that `docker --volume` would read as more than a path.
_PATH = re.compile(r"(/[^/:\s]+){2,}")
_KEY_TYPE = re.compile(r"(sk-)?(ssh|ecdsa)-[a-z0-9@.-]+")
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104
_HIGHEST_PORT = 65535


def complete(entries: Sequence[Mapping[str, Any]], data_directory: str, bind_address: str) -> list[dict[str, Any]]:
    """Return the entries with nothing left out. Raises ValueError with every mistake found, each with what was expected."""
    known = {*DEFAULTS, *REQUIRED, "data", "bind_address"}
    problems = []
    workspaces = []
    for number, entry in enumerate(entries, start=1):
        label = f"workspace {entry.get('name') or f'number {number}'}"
        missing = [key for key in REQUIRED if not entry.get(key)]
        unknown = sorted(set(entry) - known)
        if missing or unknown:
            problems += [f"{label}: found no {key}, expected one" for key in missing]
            problems += [f"{label}: found {key}, expected one of {', '.join(sorted(known))}" for key in unknown]
            continue
        workspace = {"data": f"{data_directory}/{entry['name']}", "bind_address": bind_address, **DEFAULTS, **entry}
        problems += [f"{label}: {problem}" for problem in _mistakes(workspace)]
        workspaces.append(workspace)
    problems += [*_twice(workspaces, "name"), *_twice(workspaces, "data"), *(_clashes(workspaces) if not problems else ())]
    if problems:
        raise ValueError(f"{'; '.join(problems)}. Next: correct jupyter_workspaces in the inventory. Nothing was changed")
    return workspaces


def _mistakes(workspace: Mapping[str, Any]) -> Iterator[str]:
    yield from _wrong_names(workspace)
    yield from _wrong_numbers(workspace)
    yield from _wrong_places(workspace)
    for key in workspace["authorized_keys"]:
        if not _is_public_key(str(key)):
            # No more than its beginning: it may be a private one.
            yield f"found the authorised key {str(key)[:20]!r}..., expected a public key such as 'ssh-ed25519 AAAA... name'"
    gpus = workspace["gpus"]
    if gpus != "all" and not (isinstance(gpus, list) and len({str(gpu) for gpu in gpus}) == len(gpus)):
        yield f"found gpus {gpus!r}, expected all, or a list of different GPU indices or UUIDs such as [0, 1]"


def _wrong_names(workspace: Mapping[str, Any]) -> Iterator[str]:
    if not _NAME.fullmatch(str(workspace["name"])):
        yield f"found name {workspace['name']!r}, expected at most 32 lower-case letters, digits and inner dashes"
    if not _USER.fullmatch(str(workspace["user"])) or workspace["user"] in ("root", "sshd"):
        yield f"found user {workspace['user']!r}, expected a login name other than root, of lower-case letters, digits, _ and -"


def _wrong_numbers(workspace: Mapping[str, Any]) -> Iterator[str]:
    if not _is_number(workspace["uid"]):
        yield f"found uid {workspace['uid']!r}, expected a number above 0"
    for key in ("jupyter_port", "ssh_port"):
        if not _is_number(workspace[key]) or int(workspace[key]) > _HIGHEST_PORT:
            yield f"found {key} {workspace[key]!r}, expected a port from 1 to {_HIGHEST_PORT}"


def _wrong_places(workspace: Mapping[str, Any]) -> Iterator[str]:
    if not _PATH.fullmatch(str(workspace["data"])):
        yield f"found data {workspace['data']!r}, expected an absolute path such as /srv/workspaces/{workspace['name']}"
    try:
        ipaddress.ip_address(str(workspace["bind_address"]))
    except ValueError:
        yield f"found bind_address {workspace['bind_address']!r}, expected an address of the node, such as 127.0.0.1 or 0.0.0.0"


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and str(value).isdigit() and int(value) > 0


def _is_public_key(line: str) -> bool:
    """Hold a key's type against the one inside it. What is no public key, or has options before it, fails."""
    words = line.split()
    if len(words) < 2 or "\n" in line.strip() or not _KEY_TYPE.fullmatch(words[0]):  # noqa: PLR2004
        return False
    try:
        blob = base64.b64decode(words[1], validate=True)
    except binascii.Error:
        return False
    return blob[4 : 4 + int.from_bytes(blob[:4], "big")] == words[0].encode()


def _twice(workspaces: Sequence[Mapping[str, Any]], key: str) -> Iterator[str]:
    values = [str(workspace[key]) for workspace in workspaces]
    for value in sorted({value for value in values if values.count(value) > 1}):
        yield f"found {key} {value} {values.count(value)} times, expected each workspace to have its own"


def _clashes(workspaces: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Two claims on a port clash when they are on one address, or when one of them is on every address."""
    claims: list[tuple[int, str, str]] = []
    for workspace in workspaces:
        for key in ("jupyter_port", "ssh_port"):
            port, address, owner = int(workspace[key]), str(workspace["bind_address"]), f"{workspace['name']} ({key})"
            for other_port, other_address, other in claims:
                if port == other_port and (address == other_address or {address, other_address} & set(_EVERYWHERE)):
                    yield f"found port {port} for {other} and for {owner}, expected each to have its own"
            claims.append((port, address, owner))
