"""The filter is a face of the function, and an Ansible error where that refuses."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.gpu.fleet.plugins.filter.driver_system import FilterModule

FILTER = FilterModule().filters()["driver_system"]


def test_it_gives_the_name() -> None:
    assert FILTER("Rocky", "9", ["Debian-12", "RedHat-9"]) == "RedHat-9"


def test_it_refuses_as_ansible_does() -> None:
    with pytest.raises(AnsibleFilterError, match=r"Found Slackware 15, .* Expected one of Debian 12"):
        FILTER("Slackware", "15", ["Debian-12"])
