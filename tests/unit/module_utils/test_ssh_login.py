"""Whether settings of sshd would shut out the one who is connected."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.filter.login_refusal import login_refusal


def refusal(user: str, settings: dict[str, Any], *groups: str) -> str:
    return login_refusal({"user": user, "groups": list(groups)}, settings)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"AllowUsers": "", "AllowGroups": None},
        {"AllowUsers": "alice fleet"},
        {"AllowUsers": "fl*"},
        {"AllowUsers": "fle?t@10.0.0.*"},
        {"AllowGroups": "admins"},
        {"AllowGroups": "adm*", "DenyUsers": "root"},
        {"PermitRootLogin": "no"},
    ],
)
def test_let_in(settings: dict[str, Any]) -> None:
    assert refusal("fleet", settings, "fleet", "admins") == ""


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"AllowUsers": "alice"}, "Found AllowUsers alice, which shuts out fleet, as whom Ansible connects. Expected"),
        ({"AllowUsers": "fle"}, "AllowUsers"),
        ({"AllowUsers": "f.*"}, "AllowUsers"),
        ({"AllowGroups": "wheel"}, "Found AllowGroups wheel, which shuts out fleet, as whom Ansible connects (groups admins, fleet)."),
        ({"AllowUsers": "fleet", "AllowGroups": "wheel"}, "AllowGroups"),
        ({"DenyUsers": "*"}, "DenyUsers"),
        ({"denygroups": "admins"}, "DenyGroups"),
    ],
)
def test_shut_out(settings: dict[str, Any], says: str) -> None:
    assert says in refusal("fleet", settings, "admins", "fleet")


def test_root_is_shut_out_by_its_own_setting() -> None:
    assert "PermitRootLogin no" in refusal("root", {"PermitRootLogin": "no"}, "root")
    assert refusal("root", {"PermitRootLogin": "prohibit-password"}, "root") == ""


def test_where_the_node_does_not_say_who_it_is_the_proof_is_left_to_the_login() -> None:
    assert refusal("", {"AllowUsers": "alice"}) == ""
