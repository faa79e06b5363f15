"""A certificate and its key, as far as the controller knows them before a node is to serve with them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils import certificate
from ansible_collections.gpu.fleet.plugins.module_utils.variables import contradictions
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat


def made(place: Path, name: str = "node", days: int = 30, passphrase: str = "") -> dict[str, str]:
    """Make a certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    end = dt.datetime.now(dt.timezone.utc) + dt.timedelta(days=days)
    builder = x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number(), end - dt.timedelta(days=60), end)
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    (place / f"{name}.crt").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    (place / f"{name}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    return {"certificate": f"{place}/{name}.crt", "key": f"{place}/{name}.key"}


def test_two_that_belong_together_are_well_with_a_chain_too(tmp_path: Path) -> None:
    files, authority = made(tmp_path), made(tmp_path, "authority")
    with Path(files["certificate"]).open("ab") as chain:
        chain.write(Path(authority["certificate"]).read_bytes())
    assert certificate.problems(**files) == []


def test_what_is_in_a_vault_is_not_known(tmp_path: Path) -> None:
    files = made(tmp_path)
    Path(files["key"]).write_text("$ANSIBLE_VAULT;1.1;AES256\n3039\n")
    assert certificate.problems(**files) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"certificate": "/none/node.crt"}, "found no file /none/node.crt on the controller"),
        ({"key": "/none/node.key"}, "found no file /none/node.key on the controller"),
        ({"key": "keys/node.key"}, "found the path 'keys/node.key' of a certificate or key, expected one from the root on"),
        ({"key": "{place}/other.key"}, "other.key, expected that of the first certificate in"),
        ({"key": "{place}/node.crt"}, "found no private key in"),
        ({"certificate": "{place}/node.key"}, "found no certificate in"),
        ({"certificate": "{place}/old.crt", "key": "{place}/old.key"}, "old.crt ended on"),
        ({"certificate": "{place}/locked.crt", "key": "{place}/locked.key"}, "wants a passphrase"),
    ],
)
def test_what_cannot_be_served_is_refused(tmp_path: Path, changes: dict[str, str], says: str) -> None:
    files = made(tmp_path)
    made(tmp_path, "other")
    made(tmp_path, "old", days=-1)
    made(tmp_path, "locked", passphrase="secret")
    given = {**files, **{name: path.format(place=tmp_path) for name, path in changes.items()}}
    (problem,) = certificate.problems(**given)
    assert says in problem
    values = {"reverse_proxy_certificate": "given"}
    values |= {"reverse_proxy_certificate_file": given["certificate"], "reverse_proxy_key_file": given["key"]}
    assert contradictions(values) == [f"reverse_proxy_certificate: {problem}"]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (
            {"reverse_proxy_certificate": "acme", "reverse_proxy_names": ["node.example", "10.0.0.7", "fd00::7"]},
            "found 10.0.0.7, fd00::7 in",
        ),
        ({"reverse_proxy_certificate": "acme", "reverse_proxy_names": ["node.example"]}, ""),
        # What they are follows from the node's facts, which come later.
        ({"reverse_proxy_certificate": "acme"}, ""),
        ({"reverse_proxy_certificate": "internal", "reverse_proxy_names": ["10.0.0.7"], "reverse_proxy_key_file": "/none"}, ""),
        ({"reverse_proxy_key_file": "/none"}, ""),
    ],
)
def test_an_authority_on_the_network_vouches_for_names_alone(values: dict[str, Any], found: str) -> None:
    messages = contradictions(values)
    assert found in "".join(messages)
    assert bool(messages) is bool(found)
