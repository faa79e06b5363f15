"""Users and GPU profiles of a node's hub: what an entry may leave out, and what is refused before anything is changed.

What a node has (`node`, seen by roles/jupyter_hub/files/look.py):

  users      {login name: [uid, gid]} of those that the hub is for and the node knows
  homes      {name: [uid, gid]} of the home directories that are there
  addresses  {name: address} that users of the hub have
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_SIZE = re.compile(r"[1-9][0-9]*[kmg]", re.IGNORECASE)
_MIG = re.compile(r"[1-9]g\.[1-9][0-9]*gb(\+\S+)?")
_DEFAULTS: dict[str, Any] = {"admin": False, "gpus": None, "uid": None, "gid": None, "groups": [], "password": ""}
_SHORTEST_PASSWORD = 12
# Numbers of users that neither the inventory nor the node knows, above those that a system gives to people.
FIRST_UID = 20001


def users(entries: Sequence[Mapping[str, Any]], node: Mapping[str, Any], subnet: str, gpu_limit: int | None = None) -> list[dict[str, Any]]:
    """Return the users with nothing left out: numbers, GPU limit, and the address that is each one's own.

    A user keeps number and address. Raises ValueError with every mistake found, each with what was expected.
    """
    given = _filled_in(entries)
    problems = [*_users_mistakes(given), *_no_subnet(subnet, len(given))]
    if not given:
        problems.append("found nobody in jupyter_hub_users, expected at least one, or nobody could sign in")
    if not problems:
        _give_numbers(given, node)
        _give_addresses(given, node, subnet)
        for user in given:
            user["gpus"] = gpu_limit if user["gpus"] is None else user["gpus"]
        problems += _numbers_twice(given)
    _refuse_users(problems)
    return given


def complete(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the users with nothing left out that the inventory alone decides. Raises ValueError with every mistake found."""
    given = _filled_in(entries)
    _refuse_users(list(_users_mistakes(given)) or list(_numbers_twice([user for user in given if user["uid"] is not None])))
    return given


def profiles(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the profiles. Raises ValueError with every mistake found, each with what was expected."""
    given = [{key: value for key, value in entry.items() if value is not None} for entry in entries]
    problems = [f"profile {profile.get('name', '')!r}: {mistake}" for profile in given for mistake in _profile_mistakes(profile)]
    names = [profile.get("name") for profile in given]
    problems += [f"found profile {name} twice, expected once" for name in sorted({str(name) for name in names if names.count(name) > 1})]
    if not given:
        problems.append("found no profile, expected at least one to choose from")
    if problems:
        raise ValueError(f"{'; '.join(problems)}. Next: correct jupyter_hub_profiles in the inventory. Nothing was changed")
    return given


def _filled_in(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**_DEFAULTS, **{key: value for key, value in entry.items() if value is not None}} for entry in entries]


def _refuse_users(problems: Sequence[str]) -> None:
    if problems:
        raise ValueError(f"{'; '.join(problems)}. Next: correct jupyter_hub_users in the inventory. Nothing was changed")


def _users_mistakes(given: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from (f"user {user.get('name', '')!r}: {mistake}" for user in given for mistake in _mistakes(user))
    names = [user.get("name") for user in given]
    yield from (f"found user {name} twice, expected once" for name in sorted({str(name) for name in names if names.count(name) > 1}))


def _mistakes(user: Mapping[str, Any]) -> Iterator[str]:
    if not _USER.fullmatch(str(user.get("name", ""))) or user["name"] == "root":
        yield "found that name, expected a login name other than root, of at most 32 lower-case letters, digits, _ and -"
    for key in ("uid", "gid"):
        if user[key] is not None and not _is_number(user[key], 1):
            yield f"found {key} {user[key]!r}, expected a number above 0"
    if user["gpus"] is not None and not _is_number(user["gpus"], 0):
        yield f"found gpus {user['gpus']!r}, expected the largest number of GPUs, or nothing for no limit"
    if not all(_is_number(group, 1) for group in user["groups"]):
        yield f"found groups {user['groups']!r}, expected numbers of groups such as [3000]"
    if user["password"] and len(user["password"]) < _SHORTEST_PASSWORD:
        yield f"found a password of {len(user['password'])} characters, expected at least {_SHORTEST_PASSWORD}, or none to have one made"


def _profile_mistakes(profile: Mapping[str, Any]) -> Iterator[str]:
    if not str(profile.get("name", "")).strip():
        yield "found no name, expected one that users see"
    if profile.get("gpus") != "all" and not _is_number(profile.get("gpus"), 0):
        yield f"found gpus {profile.get('gpus')!r}, expected all, or a number"
    if profile.get("mig") and not _MIG.fullmatch(str(profile["mig"])):
        yield f"found mig {profile['mig']!r}, expected a slice as nvidia-smi names it, such as 1g.10gb"
    if profile.get("memory") and not _SIZE.fullmatch(str(profile["memory"])):
        yield f"found memory {profile['memory']!r}, expected a size such as 64g"
    if profile.get("cpus") is not None and not float(profile["cpus"]) > 0:
        yield f"found cpus {profile['cpus']!r}, expected a number of processors such as 8"


def _is_number(value: Any, least: int) -> bool:
    return not isinstance(value, bool) and str(value).isdecimal() and int(value) >= least


def _no_subnet(subnet: str, count: int) -> Iterator[str]:
    try:
        network = ipaddress.ip_network(subnet)
    except ValueError:
        yield f"found jupyter_hub_network {subnet!r}, expected a network such as 172.31.250.0/24"
        return
    # Of its addresses, the first is the network's, the second the node's, and the last for all.
    if network.version != 4 or not network.is_private or network.num_addresses - 3 < count:  # noqa: PLR2004
        yield f"found jupyter_hub_network {subnet}, expected a private network of IPv4 with an address for each of {count} users"


def _give_numbers(given: Sequence[dict[str, Any]], node: Mapping[str, Any]) -> None:
    taken = {int(user["uid"]) for user in given if user["uid"]}
    taken |= {uid for numbers in (*node["users"].values(), *node["homes"].values()) for uid in numbers}
    free = (uid for uid in range(FIRST_UID, FIRST_UID + 100_000) if uid not in taken)
    for user in given:
        uid, gid = node["users"].get(user["name"]) or node["homes"].get(user["name"]) or [None, None]
        user["uid"] = int(user["uid"] or uid or next(free))
        user["gid"] = int(user["gid"] or (gid if user["uid"] == uid else user["uid"]))


def _give_addresses(given: Sequence[dict[str, Any]], node: Mapping[str, Any], subnet: str) -> None:
    network = ipaddress.ip_network(subnet)
    had = {name: address for name, address in node["addresses"].items() if ipaddress.ip_address(address) in network}
    free = (str(address) for address in list(network.hosts())[1:] if str(address) not in had.values())
    # Those of users who have left are free again, last.
    left = iter(sorted(set(had.values()) - {had[user["name"]] for user in given if user["name"] in had}))
    for user in given:
        user["address"] = had.get(user["name"]) or next(free, None) or next(left)


def _numbers_twice(given: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Two users of one number could read each other's files."""
    for uid in sorted({int(user["uid"]) for user in given}):
        names = [user["name"] for user in given if int(user["uid"]) == uid]
        if len(names) > 1:
            yield f"found uid {uid} for {' and '.join(names)}, expected each user to have a number of its own (uid)"
