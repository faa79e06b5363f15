"""What the controller alone can know of a certificate before a node is to serve with it."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# What begins a file that Ansible decrypts when it copies it: what is in it is not known here.
_VAULT = b"$ANSIBLE_VAULT"


def problems(certificate: str, key: str) -> list[str]:
    """Say why a certificate, with its chain, and its key cannot be served: files of the controller. Nothing if they can."""
    found = [_unreadable(path) for path in (certificate, key)]
    if any(found):
        return [problem for problem in found if problem]
    text, secret = Path(certificate).read_bytes(), Path(key).read_bytes()
    try:
        first = None if text.startswith(_VAULT) else x509.load_pem_x509_certificates(text)[0]
    except ValueError:
        return [f"found no certificate in {certificate}, expected one in PEM (-----BEGIN CERTIFICATE-----). Next: name that file"]
    if first and first.not_valid_after_utc < dt.datetime.now(dt.timezone.utc):
        ended = f"{first.not_valid_after_utc:%Y-%m-%d}"
        return [f"found that the certificate {certificate} ended on {ended}, expected one that is valid. Next: get it renewed"]
    return [] if secret.startswith(_VAULT) else _key_problems(first, certificate, secret, key)


def contradiction(values: Mapping[str, Any]) -> None:
    """Raise ValueError if what the inventory says of the reverse proxy's certificate (reverse_proxy_*) cannot be meant."""
    kind = values["reverse_proxy_certificate"]
    certificate, key = values.get("reverse_proxy_certificate_file"), values.get("reverse_proxy_key_file")
    found = problems(certificate, key) if kind == "given" and certificate and key else []
    if kind == "acme":
        found = addresses_problems(values.get("reverse_proxy_names") or [])
    if found:
        raise ValueError("; ".join(found))


def addresses_problems(names: Sequence[str]) -> list[str]:
    """Say which of the names that an ACME authority is to vouch for are addresses."""
    addresses = ", ".join(name for name in names if _is_address(name))
    because = "expected names alone, since an ACME authority gives no certificate for addresses"
    then = "Next: set reverse_proxy_names to the names that the node is reached by"
    return [f"found {addresses} in reverse_proxy_names, {because}. {then}"] if addresses else []


def _unreadable(path: str) -> str:
    if not Path(path).is_absolute():
        where = f"{{{{ inventory_dir }}}}/{path}"
        return f"found the path {path!r} of a certificate or key, expected one from the root on. Next: write it as {where}"
    if not Path(path).is_file():
        return (
            f"found no file {path} on the controller, expected the certificate and key that reverse_proxy_certificate_file and "
            "reverse_proxy_key_file name. Next: put them there, or set reverse_proxy_certificate: internal"
        )
    try:
        Path(path).read_bytes()
    except OSError as error:
        return f"found that {path} cannot be read on the controller: {error}, expected to. Next: give it to the user that runs Ansible"
    return ""


def _key_problems(first: x509.Certificate | None, certificate: str, secret: bytes, key: str) -> list[str]:
    """Hold the key against the certificate, where that is known."""
    try:
        loaded = load_pem_private_key(secret, password=None)
    except TypeError:
        return [
            f"found that the key {key} wants a passphrase, expected none, since nobody is there to type it. Next: openssl pkey -in {key}"
        ]
    except ValueError:
        return [f"found no private key in {key}, expected one in PEM (-----BEGIN PRIVATE KEY-----). Next: name that file"]
    if first and _spki(first.public_key()) != _spki(loaded.public_key()):
        return [f"found another key in {key}, expected that of the first certificate in {certificate}. Next: name two that belong together"]
    return []


def _spki(key: Any) -> bytes:
    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
