"""A node's variables against the roles' specifications."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.variables import options_of, unknown_variables, wrong_values

ROLES = {
    "ssh": {"ssh_port": {"type": "int"}},
    "ssh_keys": {"ssh_keys_path": {"type": "path"}},
}


def test_options_of_all_entry_points() -> None:
    specification = {
        "argument_specs": {"main": {"options": {"a": {"type": "str"}}}, "trust": {"options": {"b": {"type": "int"}}}, "empty": {}}
    }
    assert set(options_of(specification)) == {"a", "b"}


def test_a_default_that_only_describes_is_not_held_against_the_type() -> None:
    main = {"options": {"x_gate": {"type": "bool", "default": "<not in check mode>"}}}
    other = {"options": {"x_given": {"type": "str", "required": True}}}
    assert wrong_values("x", {}, options_of({"argument_specs": {"main": main, "other": other}})) == []


def test_what_main_requires_has_to_be_there() -> None:
    main = {"options": {"x_name": {"type": "str", "required": True}}}
    assert wrong_values("x", {}, options_of({"argument_specs": {"main": main}})) == ["role x: missing required arguments: x_name"]


def test_an_unknown_name_is_told_with_the_nearest_known() -> None:
    (message,) = unknown_variables("ssh", {"ssh_prot", "ssh_port", "other"}, ROLES)
    assert "found the variable ssh_prot" in message
    assert "did you mean ssh_port?" in message


def test_an_unknown_name_without_a_near_one_points_to_the_readme() -> None:
    (message,) = unknown_variables("ssh", {"ssh_xyzzy_plugh"}, ROLES)
    assert "roles/ssh/README.md" in message


def test_a_longer_role_name_keeps_its_variables() -> None:
    assert unknown_variables("ssh", {"ssh_keys_path"}, ROLES) == []
    assert unknown_variables("ssh_keys", {"ssh_keys_path"}, ROLES) == []


def test_private_names_and_other_prefixes_are_nobodys_business() -> None:
    assert unknown_variables("ssh", {"__ssh_internal", "sshd_config", "ansible_ssh_user"}, ROLES) == []


def test_wrong_values_are_told() -> None:
    options = {"x_list": {"type": "list", "elements": "dict", "options": {"name": {"type": "str", "required": True, "description": "n"}}}}
    assert wrong_values("x", {"x_list": [{"name": "a"}]}, options) == []
    messages = wrong_values("x", {"x_list": [{"nmae": "a"}]}, options)
    assert any("nmae" in message for message in messages)
