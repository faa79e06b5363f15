"""The systemd unit of a workspace."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parents[4] / "roles/jupyter/templates"


def unit(*options: str) -> str:
    environment = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=False, trim_blocks=True)
    environment.tests["search"] = lambda text, pattern: bool(re.search(pattern, text))
    return environment.get_template("workspace.service.j2").render(
        workspace={"name": "alice"},
        __jupyter_options=options,
        __jupyter_container="jupyter-workspace-alice-0123",
        __jupyter_image="registry.example:5000/gpu-fleet/workspace:0123",
    )


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("--device", "--device"),
        ("nvidia.com/gpu=all", "nvidia.com/gpu=all"),
        ("--volume=/data sets:/data", '"--volume=/data sets:/data"'),
        ("--env=PRICE=5$", '"--env=PRICE=5$$"'),
        ("--env=SHARE=5%", "--env=SHARE=5%%"),
        ('--env=A="b"', '"--env=A=\\"b\\""'),
        ("--env=A=b\\c", '"--env=A=b\\\\c"'),
    ],
)
def test_systemd_hands_each_option_to_docker_as_it_is(option: str, line: str) -> None:
    assert f"\n    {line} \\\n" in unit(option)


def test_it_is_kept() -> None:
    lines = unit().splitlines()
    for line in (
        "Restart=always",
        "RestartPreventExitStatus=42",
        "After=docker.service network-online.target",
        "WantedBy=multi-user.target",
    ):
        assert line in lines
    assert "ExecStart=/usr/bin/docker start --attach jupyter-workspace-alice-0123" in lines
