"""The registry's configuration, for each way of running it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

ROLE = Path(__file__).parents[4] / "roles/image_registry"
DEFAULTS = yaml.safe_load((ROLE / "defaults/main.yml").read_text())


def configuration(**changes: Any) -> dict[str, Any]:
    environment = Environment(loader=FileSystemLoader(ROLE / "templates"), undefined=StrictUndefined, autoescape=False)
    environment.filters["to_json"] = json.dumps
    variables = {**DEFAULTS, "image_registry_port": 5000, "__image_registry_pem": "/etc/image-registry/registry.pem", **changes}
    return yaml.safe_load(environment.get_template("config.yml.j2").render(variables))


def test_by_default_it_speaks_tls_and_takes_what_is_pushed() -> None:
    found = configuration()
    assert found["http"]["tls"] == {"certificate": "/etc/image-registry/registry.pem", "key": "/etc/image-registry/registry.pem"}
    assert found["http"]["addr"] == "0.0.0.0:5000"
    assert "proxy" not in found


def test_nobody_is_asked_for_a_password() -> None:
    assert "auth" not in configuration()


def test_without_tls() -> None:
    assert "tls" not in configuration(image_registry_tls=False)["http"]


def test_a_mirror_fetches_from_docker_hub() -> None:
    assert configuration(image_registry_mode="mirror")["proxy"] == {"remoteurl": "https://registry-1.docker.io"}


@pytest.mark.parametrize("password", ["plain", 'quo"te', "co: lon #", "back\\slash"])
def test_a_mirror_with_an_account(password: str) -> None:
    account = {"image_registry_mirror_username": "fleet", "image_registry_mirror_password": password}
    assert configuration(image_registry_mode="mirror", **account)["proxy"]["password"] == password
