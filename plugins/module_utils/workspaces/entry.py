"""One entry of the list of workspaces: what it may leave out, and what is a mistake in it."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any

from ansible_collections.gpu.fleet.plugins.module_utils import public_key
from ansible_collections.gpu.fleet.plugins.module_utils.workspaces import isolation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# What an entry may leave out. None: the place decides (`gid` is the uid, `data` lies under the role's directory, and so on).
DEFAULTS: dict[str, Any] = {
    "uid": None,
    "gid": None,
    "groups": [],
    "gpus": "all",
    "exclusive": False,
    "jupyter_port": "auto",
    "ssh_port": "auto",
    "bind_address": None,
    "ssh_bind_address": None,
    "cpus": None,
    "memory": None,
    "shm_size": None,
    "data": None,
    "volumes": [],
    "datasets": [],
    "idle_shutdown_minutes": 0,
    "environment": {},
    "password": "",
    "options": [],
}
REQUIRED = ("name", "user", "authorized_keys")
# Users and groups that the container has besides.
_OTHERS = ("nobody", "nogroup", "root", "sshd", "tty")
# What a value is, in words: not what it says, which may be a secret.
_KINDS = {list: "a list", dict: "names with values", bool: "true or false"}
# Names that are part of the addresses of the hub or of the proxy itself.
_RESERVED = ("api", "hub", "services", "user")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
# Absolute, below a top-level directory, and nothing that an option of Docker would read as more than a path.
_PATH = re.compile(r"(/[^/:,\s]+){2,}")
_VOLUME = re.compile(r"(?P<source>(/[^/:,\s]+)+):(?P<target>(/[^/:,\s]+)+)(:(ro|rw))?")
_SIZE = re.compile(r"[1-9][0-9]*[kmg]")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_GPU = re.compile(r"\d+(:\d+)?|(GPU|MIG)-[0-9a-f-]{8,}", re.IGNORECASE)
_HIGHEST_PORT = 65535
_SHORTEST_PASSWORD = 12


def complete(entry: Mapping[str, Any], places: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry with nothing left out that the inventory alone decides.

    `places` are the role's defaults: data_directory, bind_address, ssh_bind_address, shm_size.
    """
    given = {key: value for key, value in entry.items() if value is not None}
    defaults = {
        **DEFAULTS,
        "data": f"{places['data_directory']}/{entry.get('name')}",
        **{key: places[key] for key in ("bind_address", "ssh_bind_address", "shm_size")},
    }
    if isinstance(given.get("authorized_keys"), str):
        given["authorized_keys"] = [given["authorized_keys"]]
    return {**defaults, **given}


def mistakes(entry: Mapping[str, Any]) -> Iterator[str]:
    """Say what is wrong with an entry that is complete."""
    missing = [key for key in REQUIRED if not entry.get(key)]
    known = {*DEFAULTS, *REQUIRED}
    unknown = sorted(set(entry) - known)
    yield from (f"found no {key}, expected one" for key in missing)
    yield from (f"found {key}, expected one of {', '.join(sorted(known))}" for key in unknown)
    if missing or unknown:
        return
    mistaken = list(_wrong_types(entry))
    yield from mistaken
    if mistaken:
        return
    yield from _wrong_names(entry)
    yield from _wrong_numbers(entry)
    yield from _wrong_sizes(entry)
    yield from _wrong_places(entry)
    yield from _wrong_gpus(entry)
    yield from _wrong_secrets(entry)
    yield from isolation.wrong_options(entry["options"])


def source_of(volume: str) -> str:
    """Return the node's side of a volume."""
    return volume.split(":", 1)[0]


def _wrong_types(entry: Mapping[str, Any]) -> Iterator[str]:
    for key, default in {**DEFAULTS, "authorized_keys": []}.items():
        if type(default) in _KINDS and not isinstance(entry[key], type(default)):
            kind = next((words for known, words in _KINDS.items() if isinstance(entry[key], known)), "a number or text")
            yield f"found {kind} as {key}, expected {_KINDS[type(default)]}"


def _wrong_names(entry: Mapping[str, Any]) -> Iterator[str]:
    if not _NAME.fullmatch(str(entry["name"])) or entry["name"] in _RESERVED:
        yield (
            f"found name {entry['name']!r}, expected at most 32 lower-case letters, digits and inner dashes, "
            f"and none of {', '.join(_RESERVED)}"
        )
    if not _USER.fullmatch(str(entry["user"])) or entry["user"] in _OTHERS:
        yield f"found user {entry['user']!r}, expected a name of lower-case letters, digits, _ and -, and none of {', '.join(_OTHERS)}"


def _wrong_numbers(entry: Mapping[str, Any]) -> Iterator[str]:
    for key in ("uid", "gid"):
        if entry[key] is not None and not _is_number(entry[key]):
            yield f"found {key} {entry[key]!r}, expected a number above 0"
    if not all(_is_number(group) for group in entry["groups"]):
        yield f"found groups {entry['groups']!r}, expected numbers of groups such as [3000]"
    for key in ("jupyter_port", "ssh_port"):
        if entry[key] != "auto" and (not _is_number(entry[key]) or int(entry[key]) > _HIGHEST_PORT):
            yield f"found {key} {entry[key]!r}, expected auto, or a port from 1 to {_HIGHEST_PORT}"
    minutes = entry["idle_shutdown_minutes"]
    if str(minutes) != "0" and not _is_number(minutes):
        yield f"found idle_shutdown_minutes {minutes!r}, expected minutes, or 0 for never"


def _wrong_sizes(entry: Mapping[str, Any]) -> Iterator[str]:
    if entry["cpus"] is not None and not (re.fullmatch(r"\d+(\.\d+)?", str(entry["cpus"])) and float(entry["cpus"]) > 0):
        yield f"found cpus {entry['cpus']!r}, expected a number of processors such as 8 or 1.5"
    for key in ("memory", "shm_size"):
        if entry[key] is not None and not _SIZE.fullmatch(str(entry[key])):
            yield f"found {key} {entry[key]!r}, expected a size such as 64g or 512m"


def _wrong_places(entry: Mapping[str, Any]) -> Iterator[str]:
    for number, path in enumerate((entry["data"], *entry["datasets"])):
        if not _PATH.fullmatch(str(path)):
            yield f"found the path {path!r}, expected an absolute one below a top-level directory, such as /srv/workspaces/{entry['name']}"
        else:
            yield from isolation.wrong_paths(str(path), is_data=number == 0)
    for volume in entry["volumes"]:
        match = _VOLUME.fullmatch(str(volume))
        if not match:
            yield f"found the volume {volume!r}, expected SOURCE:TARGET or SOURCE:TARGET:ro with absolute paths"
        else:
            yield from isolation.wrong_paths(match["source"])
    for key in ("bind_address", "ssh_bind_address"):
        try:
            ipaddress.ip_address(str(entry[key]))
        except ValueError:
            yield f"found {key} {entry[key]!r}, expected an address of the node, such as 127.0.0.1 or 0.0.0.0"


def _wrong_gpus(entry: Mapping[str, Any]) -> Iterator[str]:
    gpus = entry["gpus"]
    is_count = not isinstance(gpus, bool) and isinstance(gpus, int) and gpus > 0
    is_list = isinstance(gpus, list) and all(_GPU.fullmatch(str(gpu)) for gpu in gpus) and len({str(gpu) for gpu in gpus}) == len(gpus)
    if not (gpus == "all" or is_count or is_list):
        yield f"found gpus {gpus!r}, expected all, a count such as 2, or a list of different GPU indices or UUIDs such as [0, 1]"


def _wrong_secrets(entry: Mapping[str, Any]) -> Iterator[str]:
    yield from public_key.mistakes(entry["authorized_keys"])
    if entry["password"] and len(str(entry["password"])) < _SHORTEST_PASSWORD:
        length = len(str(entry["password"]))
        yield f"found a password of {length} characters, expected at least {_SHORTEST_PASSWORD}, or none for a generated one"
    wrong = sorted(str(name) for name, value in entry["environment"].items() if not _VARIABLE.fullmatch(str(name)) or "\n" in str(value))
    if wrong:
        yield f"found the variables {', '.join(wrong)}, expected names of letters, digits and _, and values of one line"


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and re.fullmatch(r"[0-9]+", str(value)) is not None and int(value) > 0
