"""Complete and check what an inventory says of users and groups, before anything is changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ansible_collections.gpu.fleet.plugins.module_utils import public_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# What an entry may leave out.
USER: dict[str, Any] = {"groups": [], "authorized_keys": [], "sudo": [], "comment": "", "shell": "", "linger": None, "adopt": False}
GROUP: dict[str, Any] = {"gid": None, "sudo": []}
_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,30}[a-z0-9_]|[a-z_]")
_SHELL = re.compile(r"(/[\w.+-]+)+")
# HOSTS=(RUN AS) TAGS: COMMANDS, on one line. visudo judges the rest.
_RULE = re.compile(r"[^\n=#]+=[^\n]*\S[^\n]*")
# Below are the system's own users; from 61184 on are those that systemd gives out, and nobody.
_LOWEST, _HIGHEST = 1000, 60_000
_FURTHER = (65_536, 2_000_000_000)


def complete(
    accounts: Sequence[Mapping[str, Any]], groups: Sequence[Mapping[str, Any]], shell: str = "/bin/bash", *, linger: bool = False
) -> dict[str, list[dict[str, Any]]]:
    """Return ``users`` and ``groups`` with nothing left out. Raises ValueError with every mistake found, each with what was expected."""
    problems: list[str] = []
    users = [user for entry in accounts if (user := _entry("user", entry, {**USER, "uid": None}, ("name", "uid"), problems))]
    teams = [group for entry in groups if (group := _entry("group", entry, GROUP, ("name",), problems))]
    for user in users:
        user["shell"] = user["shell"] or shell
        user["linger"] = linger if user["linger"] is None else user["linger"]
        problems += [f"user {user['name']}: {problem}" for problem in _wrong_user(user)]
    for group in teams:
        problems += [f"group {group['name']}: {problem}" for problem in _wrong_group(group)]
    problems += [*_twice(users, "user", "name"), *_twice(users, "user", "uid")]
    # A user's own group has the user's name and number.
    own = [{"name": user["name"], "gid": user["uid"]} for user in users]
    problems += [*_twice([*own, *teams], "group", "name"), *_twice([*own, *teams], "group", "gid")]
    if problems:
        raise ValueError(
            f"{'; '.join(dict.fromkeys(problems))}. Next: correct users_accounts and users_groups in the inventory. Nothing was changed"
        )
    return {"users": users, "groups": teams}


def _entry(
    kind: str, entry: Mapping[str, Any], known: Mapping[str, Any], required: Sequence[str], problems: list[str]
) -> dict[str, Any] | None:
    label = f"{kind} {entry.get('name') or 'without a name'}"
    names = {"name", *known}
    before = len(problems)
    problems += [f"{label}: found no {key}, expected one" for key in required if entry.get(key) in (None, "")]
    problems += [f"{label}: found {key}, expected one of {', '.join(sorted(names))}" for key in sorted(set(entry) - names)]
    return {**known, **entry} if len(problems) == before else None


def _wrong_user(user: Mapping[str, Any]) -> Iterator[str]:
    yield from _wrong_name(user["name"])
    yield from _wrong_number("uid", user["uid"])
    yield from _wrong_rules(user["sudo"])
    yield from public_key.mistakes(user["authorized_keys"], options=True)
    if not _SHELL.fullmatch(str(user["shell"])):
        yield f"found shell {user['shell']!r}, expected a path such as /bin/bash"
    if set(str(user["comment"])) & set(":\n"):
        yield f"found comment {user['comment']!r}, expected a line without a colon"
    yield from (f"found group {group!r}, expected a group's name" for group in user["groups"] if not _NAME.fullmatch(str(group)))


def _wrong_group(group: Mapping[str, Any]) -> Iterator[str]:
    yield from _wrong_name(group["name"])
    yield from _wrong_rules(group["sudo"])
    if group["gid"] is not None:
        yield from _wrong_number("gid", group["gid"])


def _wrong_name(name: Any) -> Iterator[str]:
    if not _NAME.fullmatch(str(name)) or name == "root":
        yield f"found name {name!r}, expected one other than root, of at most 32 lower-case letters, digits, _ and inner dashes"


def _wrong_number(key: str, number: Any) -> Iterator[str]:
    right = not isinstance(number, bool) and str(number).isdecimal()
    if not right or not (_LOWEST <= int(number) <= _HIGHEST or _FURTHER[0] <= int(number) <= _FURTHER[1]):
        yield f"found {key} {number!r}, expected a number from {_LOWEST} to {_HIGHEST}, or from {_FURTHER[0]} on"


def _wrong_rules(rules: Sequence[Any]) -> Iterator[str]:
    for rule in rules:
        if not _RULE.fullmatch(str(rule)) or str(rule).rstrip().endswith("\\"):
            yield f"found sudo rule {rule!r}, expected what follows the name in sudoers, such as 'ALL=(ALL) NOPASSWD: ALL'"


def _twice(entries: Sequence[Mapping[str, Any]], kind: str, key: str) -> Iterator[str]:
    values = [str(entry[key]) for entry in entries if entry[key] is not None]
    for value in sorted({value for value in values if values.count(value) > 1}):
        names = ", ".join(sorted({str(entry["name"]) for entry in entries if str(entry[key]) == value}))
        yield f"{kind}: found {key} {value} {values.count(value)} times ({names}), expected each to have its own"
