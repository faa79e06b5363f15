"""What is a public key, and what is refused before it comes to a node."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.gpu.fleet.plugins.filter.public_keys import public_keys
from ansible_collections.gpu.fleet.plugins.module_utils.public_key import checked, is_authorized_key, is_public_key

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIvs0zTh4Nh0wzm8bq1qk1bYb4mAEkT2SxKyqVJp6Vhz someone"
BLOB = KEY.split()[1]


@pytest.mark.parametrize("line", [KEY, f"ssh-ed25519 {BLOB}", f" {KEY}\n"])
def test_a_public_key(line: str) -> None:
    assert is_public_key(line)
    assert is_authorized_key(line)


@pytest.mark.parametrize(
    "line",
    [
        f"no-pty {KEY}",
        f'from="10.0.0.0/8,192.0.2.1",no-pty {KEY}',
        f'command="echo \\"a b\\", c" {KEY}',
        f'restrict,environment="A=B" {KEY}',
    ],
)
def test_a_key_with_options_is_for_authorized_keys_only(line: str) -> None:
    assert is_authorized_key(line)
    assert not is_public_key(line)


@pytest.mark.parametrize(
    "line",
    [
        "",
        None,
        7,
        "ssh-ed25519",
        "ssh-ed25519 nonsense",
        f"ssh-rsa {BLOB}",
        f"{KEY}\n{KEY}",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        f'command="unfinished {KEY}',
        f"two words {KEY}",
        "ssh-dss AAAAB3NzaC1kc3MAAAAA someone",
        "ssh-ed25519 AAAA",
    ],
)
def test_what_is_none(line: object) -> None:
    assert not is_public_key(line)
    assert not is_authorized_key(line)


def test_every_mistake_is_told_and_no_more_than_a_keys_beginning() -> None:
    secret = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk"
    with pytest.raises(AnsibleFilterError) as told:
        public_keys([KEY, secret, "nonsense"])
    assert "b3BlbnNz" not in str(told.value)
    assert "-----BEGIN OPENSSH P" in str(told.value)
    assert "'nonsense'" in str(told.value)
    assert "Nothing was changed" in str(told.value)


def test_good_keys_come_back_a_line_each() -> None:
    assert checked([f"{KEY}\n"]) == [KEY]
