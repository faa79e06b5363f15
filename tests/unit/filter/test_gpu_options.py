"""The filter is a face of the function, and an Ansible error where that refuses."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.gpu.fleet.plugins.filter.gpu_options import FilterModule

FILTER = FilterModule().filters()["gpu_options"]


def test_it_gives_the_options() -> None:
    assert FILTER({"CDISpecDirs": ["/etc/cdi"]}, [0]) == ["--device", "nvidia.com/gpu=0"]


@pytest.mark.parametrize("engine", [{}, None, "text"])
def test_it_refuses_as_ansible_does(engine: Any) -> None:
    with pytest.raises(AnsibleFilterError, match=r"gpu\.fleet\.gpu_options"):
        FILTER(engine)
