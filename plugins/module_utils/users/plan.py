"""Hold what an inventory says of users against what a node has: what there is to do, and what stands in the way."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def plan(
    wish: Mapping[str, Any], seen: Mapping[str, Any], *, exclusive_keys: bool = True, remove_data: bool = False, foresee: bool = False
) -> dict[str, Any]:
    """Return what differs, a list for each kind of change, whether there is ``any``, and ``problems``: reasons to change nothing.

    ``foresee``: groups that are not there yet may come with what would be installed before.
    """
    users, groups, record = wish["users"], wish["groups"], seen["record"]
    names = [user["name"] for user in users]
    leaving = sorted(set(record["users"]) - set(names))
    own = [{"name": user["name"], "gid": int(user["uid"])} for user in users if user["name"] not in seen["users"]]
    made_groups = sorted(group["name"] for group in groups if group["name"] in record["groups"] or group["name"] not in seen["groups"])
    after: dict[str, Any] = {
        "users": {user["name"]: int(user["uid"]) for user in users},
        "groups": made_groups,
        # Whose data is kept: their numbers are not given to others.
        "former": {
            name: uid for name, uid in {**record["former"], **({} if remove_data else record["users"])}.items() if name not in names
        },
    }
    during: dict[str, Any] = {
        "users": {**record["users"], **after["users"]},
        "groups": sorted({*record["groups"], *made_groups}),
        "former": record["former"],
    }
    connects_as = seen["connects_as"]
    changes: dict[str, Any] = {
        "groups": [
            *({"name": group["name"], "gid": group["gid"]} for group in groups if _group_differs(group, seen)),
            *(group for group in own if group["name"] not in seen["groups"]),
        ],
        "users": [user for user in users if _user_differs(user, seen)],
        "keys": [
            # Of the one who is connected here, none is taken away: it may be the key that this very connection was made with.
            {"name": user["name"], "keys": user["authorized_keys"], "exclusive": exclusive}
            for user in users
            if _keys_differ(user, seen, exclusive=(exclusive := exclusive_keys and user["name"] != connects_as))
        ],
        "linger": [user["name"] for user in users if user["linger"] and not _has(user, seen).get("linger")],
        "no_linger": [user["name"] for user in users if not user["linger"] and _has(user, seen).get("linger")],
        "leaving": [name for name in leaving if name in seen["users"]],
        "leaving_groups": sorted((set(record["groups"]) - {group["name"] for group in groups}) & set(seen["groups"])),
    }
    return {
        **changes,
        "any": record != after or any(changes.values()),
        "problems": [
            *_taken_users(users, seen),
            *_taken_groups(groups, seen),
            *_absent_groups(users, groups, seen, foresee=foresee),
            *_leaves(leaving, connects_as),
            *_foreign_keys(changes["keys"], seen),
        ],
        "during": during,
        "after": after,
    }


def _has(user: Mapping[str, Any], seen: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = seen["users"].get(user["name"], {})
    return found


def _foreign_keys(keys: Sequence[Mapping[str, Any]], seen: Mapping[str, Any]) -> Iterator[str]:
    """Keys are not written where a user has put something else, such as a link to a file of root's."""
    for user in keys:
        if _has(user, seen).get("foreign"):
            yield f"user {user['name']}: {_has(user, seen)['foreign']}"


def _taken_users(users: Sequence[Mapping[str, Any]], seen: Mapping[str, Any]) -> Iterator[str]:
    record = seen["record"]
    for user in users:
        name, uid, there = user["name"], int(user["uid"]), _has(user, seen)
        if not there:
            yield from _taken_number(name, uid, seen)
        elif there["uid"] != uid:
            yield f"found {name} with uid {there['uid']}, expected {uid}: a user's files belong to the number, so it stays"
        elif name not in record["users"] and not user["adopt"]:
            yield f"found that {name} was on the node before this role, expected a new user: `adopt: true` hands the user over to the role"


def _taken_number(name: str, uid: int, seen: Mapping[str, Any]) -> Iterator[str]:
    holder = seen["uids"].get(str(uid), "")
    former = [other for other, number in seen["record"]["former"].items() if number == uid and other != name]
    team = {gid: group for group, gid in seen["groups"].items()}.get(uid, name)
    if holder:
        yield f"found uid {uid} taken by {holder}, expected it to be free for {name}"
    elif former:
        yield f"found uid {uid}, expected another for {name}: it was that of {former[0]}, whose data is still there"
    elif team != name or seen["groups"].get(name, uid) != uid:
        yield f"found gid {uid} or the group {name} taken, expected both to be free for the user's own group"


def _taken_groups(groups: Sequence[Mapping[str, Any]], seen: Mapping[str, Any]) -> Iterator[str]:
    by_gid = {gid: name for name, gid in seen["groups"].items()}
    for group in groups:
        gid, there = group["gid"], seen["groups"].get(group["name"])
        if gid is not None and there is not None and there != int(gid):
            yield f"found group {group['name']} with gid {there}, expected {gid}: files belong to the number, so it stays"
        elif gid is not None and there is None and int(gid) in by_gid:
            yield f"found gid {gid} taken by {by_gid[int(gid)]}, expected it to be free for {group['name']}"


def _absent_groups(
    users: Sequence[Mapping[str, Any]], groups: Sequence[Mapping[str, Any]], seen: Mapping[str, Any], *, foresee: bool
) -> Iterator[str]:
    known = {*(group["name"] for group in groups), *(user["name"] for user in users), *seen["groups"]}
    for user in users if not foresee else ():
        for group in sorted(set(user["groups"]) - known):
            yield f"found no group {group} for {user['name']}, expected one of users_groups or of the node"


def _leaves(leaving: Sequence[str], connects_as: str) -> Iterator[str]:
    if connects_as in leaving:
        yield f"found that {connects_as}, as whom Ansible is connected, has left users_accounts, expected another ansible_user first"


def _group_differs(group: Mapping[str, Any], seen: Mapping[str, Any]) -> bool:
    return group["name"] not in seen["groups"]


def _user_differs(user: Mapping[str, Any], seen: Mapping[str, Any]) -> bool:
    there = _has(user, seen)
    wanted = {
        "uid": int(user["uid"]),
        "comment": user["comment"],
        "shell": user["shell"],
        "groups": sorted({*user["groups"]} - {user["name"]}),
    }
    return {key: there.get(key) for key in wanted} != wanted


def _keys_differ(user: Mapping[str, Any], seen: Mapping[str, Any], *, exclusive: bool) -> bool:
    wanted = {hashlib.sha256(str(key).strip().encode()).hexdigest() for key in user["authorized_keys"]}
    there = set(_has(user, seen).get("keys", ()))
    return wanted != there if exclusive else not wanted <= there
