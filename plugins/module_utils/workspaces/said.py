"""What a person says on the command line of playbooks/workspace.yml, as an entry of the list of workspaces.

Words are text there: what is meant as a number, a list or yes becomes one, and what looks like none stays as it is, for the entry's own
validation to refuse it.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ansible_collections.gpu.fleet.plugins.module_utils.workspaces.entry import DEFAULTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

# What says which workspace is meant, and not what it should be.
ADDRESS = ("name", "node", "state")
# What an entry may have and a command line may not.
_NOT_SAID = {
    "password": "one that is made, or jupyter_workspaces in an encrypted inventory, since others see a command line",
    "authorized_keys": "a file with them, such as -e keys=~/.ssh/id_ed25519.pub",
}
WORDS = (*ADDRESS, "user", "keys", *(key for key in DEFAULTS if key not in _NOT_SAID))
# A name that is not known and as near as this to one that is, is taken for a typing error of it.
_NEAR = 0.86
_SHORTEST_PART = 3
_SWITCH = {**dict.fromkeys(("true", "yes", "on", "1"), True), **dict.fromkeys(("false", "no", "off", "0"), False)}
_NOTHING = "none"


def entries(
    said: Mapping[str, Any],
    added: Sequence[Mapping[str, Any]],
    in_inventory: Sequence[str],
    keys: Sequence[str],
    uid: int | None = None,
) -> list[dict[str, Any]]:
    """Return what is to be written down of a node, which is `added` now, after what was said of one workspace.

    `in_inventory` are names of workspaces that the inventory has: these can be woken. `keys` are those of the file that was said, or else
    the caller's. `uid` is the caller's where the workspace is for the caller. Raises ValueError with every word that cannot be meant.
    """
    name, is_absent = said["name"], said.get("state") == "absent"
    former = next((dict(entry) for entry in added if entry["name"] == name), None)
    problems = [*unknown(said), *(_of_inventory(said, former) if name in in_inventory else ())]
    if not (is_absent or keys) and name not in in_inventory and (former is None or "keys" in said):
        problems.append("found no public key, expected one to log in with. Next: -e keys=~/.ssh/id_ed25519.pub")
    if problems:
        raise ValueError(f"{'; '.join(problems)}. Nothing was changed")
    others = [dict(entry) for entry in added if entry["name"] != name]
    if not is_absent and name not in in_inventory:
        others.append(_entry(said, keys, former, uid))
    return sorted(others, key=lambda entry: str(entry["name"]))


def _entry(said: Mapping[str, Any], keys: Sequence[str], former: dict[str, Any] | None, uid: int | None) -> dict[str, Any]:
    """Put what was said on top of the former entry, so that its name alone wakes a workspace and one word changes one thing."""
    start = former or {"name": said["name"], "user": said["name"], "uid": uid}
    given = {word: _meant(word, value) for word, value in said.items() if word in DEFAULTS or word == "user"}
    if former is None or "keys" in said:
        given["authorized_keys"] = list(keys)
    # None takes a word back: the default counts again.
    return {word: value for word, value in {**start, **given}.items() if value is not None}


def _of_inventory(said: Mapping[str, Any], former: Mapping[str, Any] | None) -> Iterator[str]:
    """One of the inventory can be woken, and nothing else: what is said here would be undone by the next run of site.yml."""
    more = sorted(word for word in said if word in WORDS and word not in ADDRESS)
    # What was written down before the inventory had one of that name can be forgotten.
    if said.get("state") == "absent" and former is None:
        more.append("state=absent")
    if more:
        yield (
            f"found {', '.join(more)} for {said['name']}, which jupyter_workspaces of the inventory has, "
            "expected its name alone, which wakes it. Next: change it there and run site.yml, or take another name"
        )


def unknown(names: Mapping[str, Any]) -> Iterator[str]:
    """Say which names look like a word of this command, and are none. Others may be variables of the roles or of the site."""
    for name in sorted(set(names) - set(WORDS)):
        if name in _NOT_SAID:
            yield f"found {name}, expected {_NOT_SAID[name]}"
            continue
        near = get_close_matches(name, WORDS, n=1, cutoff=_NEAR)
        near += [word for word in WORDS if len(name) >= _SHORTEST_PART and name in word]
        if near:
            yield f"found {name}, expected one of {', '.join(sorted(WORDS))}. Next: did you mean -e {near[0]}=...?"


def _meant(word: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    value = value.strip()
    if value == _NOTHING:
        return [] if word in _READ_LIST else None
    if word in _READ:
        return _READ[word](value)
    return value


def _number(text: str) -> Any:
    return int(text) if re.fullmatch(r"[0-9]+", text) else text


def _decimal(text: str) -> Any:
    return float(text) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) else text


def _switch(text: str) -> Any:
    return _SWITCH.get(text.lower(), text)


def _list(text: str) -> list[str]:
    inner = text[1:-1] if re.fullmatch(r"\[.*\]", text) else text
    return [part.strip().strip("'\"") for part in inner.split(",")] if inner.strip() or inner == text else []


def _gpus(text: str) -> Any:
    """Not by YAML, to which 1:0 is 60 and 0x1 is 1."""
    return text if text == "all" else int(text) if re.fullmatch(r"[0-9]+", text) else _list(text)


_READ_LIST: dict[str, Callable[[str], Any]] = {
    "gpus": _gpus,
    "datasets": _list,
    "volumes": _list,
    "groups": lambda text: [_number(part) for part in _list(text)],
    # A comma may be part of one.
    "options": lambda text: [text],
}
_READ: dict[str, Callable[[str], Any]] = {
    **_READ_LIST,
    **dict.fromkeys(("uid", "gid", "idle_shutdown_minutes", "jupyter_port", "ssh_port"), _number),
    "cpus": _decimal,
    "exclusive": _switch,
}
