"""Hold a node's variables against the argument specifications of the roles.

A role's public variables carry its name as prefix. So a variable that has a role's prefix and is not in that role's specification is a
mistake, most often a typing error, and would otherwise be ignored in silence.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.gpu.fleet.plugins.module_utils import certificate, expectation, public_key
from ansible_collections.gpu.fleet.plugins.module_utils.driver import waves
from ansible_collections.gpu.fleet.plugins.module_utils.nfs import mounts
from ansible_collections.gpu.fleet.plugins.module_utils.users import wish
from ansible_collections.gpu.fleet.plugins.module_utils.workspaces import claims, hub

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# What the role's variables are by default, where an entry leaves it to them.
_WORKSPACE_PLACES = {"data_directory": "/srv/workspaces", "bind_address": "127.0.0.1", "ssh_bind_address": "0.0.0.0", "shm_size": "8g"}  # noqa: S104

# What a specification cannot say: values that are each of the right type, and cannot be meant together. The readers raise ValueError.
_READERS: dict[str, Callable[[Any], object]] = {
    "driver_upgrade_waves": waves.checked,
    "gpu_readiness_expectation": expectation.parse,
    "jupyter_hub_profiles": hub.profiles,
    "jupyter_hub_users": hub.complete,
    "jupyter_workspaces": lambda entries: claims.complete(entries, _WORKSPACE_PLACES),
    "nfs_client_mounts": mounts.complete,
    "ssh_authorized_keys": lambda entries: public_key.checked([key for entry in entries for key in entry["keys"]], options=True),
    "ssh_revoked_keys": public_key.checked,
    "ssh_trusted_user_ca_keys": public_key.checked,
    "users_accounts": lambda entries: wish.complete(entries, []),
    "users_groups": lambda entries: wish.complete([], entries),
}
# The same of several values of a role: the reader is given all of them where the one that it is named for is there.
_READERS_OF_SEVERAL: dict[str, Callable[[Mapping[str, Any]], object]] = {"reverse_proxy_certificate": certificate.contradiction}


def options_of(specification: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of all entry points of one ``meta/argument_specs.yml``, as far as an inventory's values are held against them.

    Defaults are the role's own business, and what an entry point beside ``main`` requires is given by the one who calls it.
    """
    options: dict[str, Any] = {}
    for name, entry_point in specification["argument_specs"].items():
        ignored = ("default",) if name == "main" else ("default", "required")
        for option, contract in (entry_point.get("options") or {}).items():
            options[option] = {key: value for key, value in contract.items() if key not in ignored}
    return options


def unknown_variables(role: str, names: set[str], roles: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say which of a node's variable names look like the role's but are not, with the nearest that is."""
    mine = roles[role]
    # ``ssh_`` must not claim what belongs to a role with a longer name.
    others = tuple(f"{other}_" for other in roles if other != role and other.startswith(f"{role}_"))
    messages = []
    for name in sorted(names):
        if not name.startswith(f"{role}_") or name in mine or name.startswith(others):
            continue
        near = get_close_matches(name, mine, n=1)
        hint = f"did you mean {near[0]}?" if near else f"see roles/{role}/README.md for its variables."
        messages.append(f"found the variable {name}, expected one of the role {role}'s: {hint}")
    return messages


def wrong_values(role: str, values: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """Say which values are not of the type or among the choices that the role's specification names."""
    given = {name: value for name, value in values.items() if name in options}
    result = ArgumentSpecValidator(dict(options)).validate(given)
    return [f"role {role}: {message}" for message in result.error_messages]


def contradictions(values: Mapping[str, Any]) -> list[str]:
    """Say which values of the right type cannot be meant. Values that are wrong already must not be among them."""
    messages = []
    readers = {name: (read, values[name]) for name, read in _READERS.items() if values.get(name)}
    readers |= {name: (read, values) for name, read in _READERS_OF_SEVERAL.items() if values.get(name)}
    for name, (read, given) in sorted(readers.items()):
        try:
            read(given)
        except ValueError as mistakes:
            messages.append(f"{name}: {mistakes}")
    return messages
