"""Under Secure Boot modules that are compiled on the node are refused unless they will be signed with a key that the machine trusts."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.secure_boot import SecureBoot, Signing

DER = bytes.fromhex("3082") + bytes(range(256)) * 3
PEM = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(DER) + b"-----END CERTIFICATE-----\n"
SIGNING = Signing("/root/mok.key", "/root/mok.der")
EFI = "sys/firmware/efi/efivars"


def machine(root: Path, state: int, keys: bytes | None) -> SecureBoot:
    (root / EFI).mkdir(parents=True)
    (root / EFI / "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c").write_bytes(bytes([6, 0, 0, 0, state]))
    if keys is not None:
        (root / EFI / "MokListRT-605dab50-e046-4300-abb6-3dd810dd8b23").write_bytes(bytes([6, 0, 0, 0]) + bytes(44) + keys)
    return SecureBoot.read(root)


def test_a_machine_without_efi_has_none(tmp_path: Path) -> None:
    assert SecureBoot.read(tmp_path) == SecureBoot(enabled=False)
    SecureBoot.read(tmp_path).refuse_unsigned(Signing("", ""), tmp_path)


@pytest.mark.parametrize("state", [0, 1])
def test_the_firmware_tells(tmp_path: Path, state: int) -> None:
    assert machine(tmp_path, state, None).enabled is bool(state)


def test_without_a_key_it_is_refused_with_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"Found Secure Boot, .* Next step: make a key \(openssl .*mokutil --import"):
        machine(tmp_path, 1, DER).refuse_unsigned(Signing("", ""), tmp_path)


def test_a_key_that_is_not_there_is_refused_on_any_machine(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"Found no file /root/mok\.key and no file /root/mok\.der on the node"):
        machine(tmp_path, 0, None).refuse_unsigned(SIGNING, tmp_path)


@pytest.mark.parametrize("written", [DER, PEM])
@pytest.mark.parametrize("keys", [None, b"", DER[:-1], DER])
def test_only_an_enrolled_certificate_will_do(tmp_path: Path, written: bytes, keys: bytes | None) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/mok.key").touch()
    (tmp_path / "root/mok.der").write_bytes(written)
    boot = machine(tmp_path, 1, keys)
    if keys == DER:
        boot.refuse_unsigned(SIGNING, tmp_path)
        return
    with pytest.raises(Refusal, match=r"the certificate /root/mok\.der not among the keys of the machine's owner .* run `mokutil --import"):
        boot.refuse_unsigned(SIGNING, tmp_path)


def test_an_empty_certificate_is_none(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/mok.key").touch()
    (tmp_path / "root/mok.der").touch()
    with pytest.raises(Refusal, match="not among the keys"):
        machine(tmp_path, 1, DER).refuse_unsigned(SIGNING, tmp_path)


def test_a_key_without_its_certificate_is_refused() -> None:
    with pytest.raises(Refusal, match="Expected both or neither"):
        Signing("/root/mok.key", "")
