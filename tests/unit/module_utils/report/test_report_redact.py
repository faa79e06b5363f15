"""No secret reaches a report."""

from __future__ import annotations

import json

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.report import redact
from unit.module_utils.report.builders import finding, node, readiness


@pytest.mark.parametrize(
    "line",
    [
        "cannot pull https://robot:hunter2@registry.example/pytorch",
        "cannot clone https://hunter2@git.example/x",
        "docker login --password hunter2 failed",
        "password=hunter2",
        'module_args: {"registry_password": "hunter2", "x": 1}',
        "'api_key': 'hunter2'",
        "JUPYTER_TOKEN: hunter2",
        "Authorization: Bearer hunter2hunter2",
        "client_secret = hunter2;",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2",
    ],
)
def test_secrets_are_hidden(line: str) -> None:
    assert "hunter2" not in redact.text(line)
    assert redact.HIDDEN in redact.text(line)


@pytest.mark.parametrize(
    "line",
    [
        "found 7 GPUs, expected 8: look for the missing one with lspci",
        "ssh: connect to host 10.0.0.2 port 22: No route to host",
        "https://developer.download.nvidia.com/compute is not reachable",
        "the key of the repository is not the one expected",
        "install | Add the keyring",
    ],
)
def test_the_rest_stays_as_it_is(line: str) -> None:
    assert redact.text(line) == line


def test_data_is_redacted_at_any_depth() -> None:
    tree = {"a": [{"token": "hunter2", "tokens": 3}], "b": ("password=hunter2", 1.5, None, True), "registry_password": "hunter2"}
    clean = redact.data(tree)
    assert "hunter2" not in json.dumps(clean)
    assert clean["a"][0]["tokens"] == 3
    assert clean["b"][1:] == [1.5, None, True]


def test_a_node_has_no_secret_in_what_is_stored_of_it() -> None:
    found = node(
        readiness=readiness("ready", finding(message="password=hunter2"), observation={"environment": {"NGC_API_KEY": "hunter2"}}),
        failed={"task": "pull", "message": "https://u:hunter2@registry/x"},
        unreachable="token=hunter2",
    )
    assert "hunter2" not in json.dumps(found.as_record())
