"""NVIDIA's repository: its key is known by its fingerprint, and what is in its way is found."""

from __future__ import annotations

import re
import shutil
import subprocess
from http.client import IncompleteRead
from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.driver import apt_files
from ansible_collections.gpu.fleet.plugins.module_utils.driver.apt_files import SOURCES, in_the_way, key_path, stanza
from ansible_collections.gpu.fleet.plugins.module_utils.driver.openpgp import fingerprints
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.repository import Repository

URL = "https://developer.download.nvidia.com/compute/cuda/repos/debian12/x86_64"


def gpg(home: Path, *arguments: str) -> bytes:
    return subprocess.run(["gpg", "--homedir", home, "--batch", *arguments], check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Make two keys of different kinds with gpg, which knows their fingerprints: fingerprint -> key."""
    # A socket's path may have 108 characters, and gpg's agent has one here.
    home = Path(tmp_path_factory.mktemp("g", numbered=True))
    home.chmod(0o700)
    made = {}
    try:
        for name, kind in (("one", "rsa2048"), ("two", "ed25519")):
            gpg(home, "--passphrase", "", "--quick-generate-key", name, kind, "sign", "never")
            listed = gpg(home, "--with-colons", "--list-keys", name).decode()
            fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))
            gpg(home, "--passphrase", "", "--quick-add-key", fingerprint, kind, "sign", "never")  # a subkey, which is no other key
            made[fingerprint] = gpg(home, "--export", name)
        made["both, armoured"] = gpg(home, "--armor", "--export")
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)
        shutil.rmtree(home, ignore_errors=True)  # the agent takes its sockets away meanwhile
    return made


def test_fingerprints_are_what_gpg_says(keys: dict[str, bytes]) -> None:
    both = keys["both, armoured"]
    single = {fingerprint: key for fingerprint, key in keys.items() if key != both}
    for fingerprint, key in single.items():
        assert fingerprints(key) == [fingerprint]
    assert fingerprints(both) == list(single)
    assert fingerprints(both.replace(b"\n", b"\r\n")) == list(single)


@pytest.mark.parametrize(
    "content", [b"", b"<html>404</html>", b"\x99\x01\x0d\x04", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n=\n", b"\x00\x01"]
)
def test_what_is_no_key_has_no_fingerprint(content: bytes) -> None:
    assert fingerprints(content) == []


def test_a_key_that_is_cut_off_is_none(keys: dict[str, bytes]) -> None:
    key = next(iter(keys.values()))
    assert fingerprints(key[:100]) == []


def test_the_key_comes_as_text(keys: dict[str, bytes]) -> None:
    fingerprint, key = next(iter(keys.items()))
    text = Repository(URL, f"{URL}/key.pub", fingerprint).key(lambda _: key)
    assert fingerprints(text.encode()) == [fingerprint]
    assert Repository(URL, f"{URL}/key.pub", fingerprint).key(lambda _: text.encode()) == text


def test_another_key_is_refused(keys: dict[str, bytes]) -> None:
    fingerprint, other = list(keys)[:2]
    with pytest.raises(Refusal, match=rf"Found the key {other} at {URL}/key\.pub\. Expected the key {fingerprint}\."):
        Repository(URL, f"{URL}/key.pub", fingerprint).key(lambda _: keys[other])
    with pytest.raises(Refusal, match="Found no key at"):
        Repository(URL, f"{URL}/key.pub", fingerprint).key(lambda _: b"<html>")


def test_another_key_beside_it_is_refused(keys: dict[str, bytes]) -> None:
    """dnf would take the packages that the other one has signed."""
    fingerprint, other = list(keys)[:2]
    wanted = Repository(URL, f"{URL}/key.pub", fingerprint)
    expected = rf"Found the keys {fingerprint} and {other} in one file at {URL}/key\.pub\. Expected the key {fingerprint} alone\."
    for both in (keys["both, armoured"], keys[fingerprint] + keys[other]):
        with pytest.raises(Refusal, match=expected):
            wanted.key(lambda _, content=both: content)
    with pytest.raises(Refusal, match="Found no key"):
        wanted.key(
            lambda _: keys["both, armoured"] + b"-----BEGIN PGP PUBLIC KEY BLOCK----- \n\nmQ==\n-----END PGP PUBLIC KEY BLOCK-----\n"
        )
    # A primary key's packet of version 6, as RFC 9580 has it.
    with pytest.raises(Refusal, match=rf"Found the keys {fingerprint} and of version 6 in one file"):
        wanted.key(lambda _: keys[fingerprint] + b"\xc6\x02\x06\x00")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError("Connection refused"), "Connection refused"),
        (IncompleteRead(b"12", 100), "IncompleteRead(2 bytes read, 100 more expected)"),
        (ValueError("unknown url type: 'mirror'"), "unknown url type: 'mirror'"),
    ],
)
def test_an_address_that_does_not_answer_is_said(error: Exception, said: str) -> None:
    def fetch(_: str) -> bytes:
        raise error

    with pytest.raises(Refusal, match=re.escape(f"Found that {URL}/key.pub cannot be fetched ({said}). Expected")):
        Repository(URL, f"{URL}/key.pub", "00").key(fetch)


def test_a_mirrors_password_is_not_said() -> None:
    with pytest.raises(Refusal, match=r"Found no key at https://mirror\.example/key\.pub\."):
        Repository(URL, "https://joe:p@ss@mirror.example/key.pub", "00").key(lambda _: b"")


OURS = Repository(URL, f"{URL}/3bf863cc.pub", "EB693B3035CD5710E231E123A4B469963BF863CC")


def test_only_what_this_key_has_signed_is_accepted() -> None:
    assert f"Signed-By: {key_path(OURS)} {OURS.fingerprint}\n" in stanza(OURS, key_path(OURS))
    assert key_path(OURS).name.endswith("A4B469963BF863CC.asc")


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("/etc/apt/sources.list.d/cuda.list", f"deb {URL}/ /\n", True),
        ("/etc/apt/sources.list.d/cuda.list", f"deb [signed-by=/usr/share/keyrings/cuda-archive-keyring.gpg] {URL} /\n", True),
        ("/etc/apt/sources.list.d/cuda.list", "deb http://mirror.example/nvidia/compute/cuda/repos/debian12/x86_64/ /\n", True),
        ("/etc/apt/sources.list.d/cuda.sources", f"Types: deb\nURIs: {URL}/\nSuites: /\n", True),
        ("/etc/apt/sources.list.d/cuda.list", f"deb {URL.replace('://', '://joe:secret@')}/ /\n", True),
        ("/etc/apt/sources.list.d/cuda.list", f"# deb {URL}/ /\n", False),
        ("/etc/apt/sources.list.d/cuda.sources", f"Enabled: no\nTypes: deb\nURIs: {URL}/\nSuites: /\n", False),
        ("/etc/apt/sources.list.d/cuda.list", f"deb {URL.replace('debian12', 'wsl-ubuntu')}/ /\n", False),
        ("/etc/apt/sources.list", "deb http://mirror.example/debian bookworm main\n", False),
        (str(SOURCES), stanza(OURS, Path("/k")), False),
    ],
)
def test_other_sources_for_the_same_repository_are_found(path: str, text: str, *, found: bool, tmp_path: Path) -> None:
    assert in_the_way({path: text}, OURS, tmp_path) == ([path] if found else [])


def test_our_own_source_goes_where_it_is_not_used_any_more(tmp_path: Path) -> None:
    assert in_the_way({str(SOURCES): "", "/etc/apt/sources.list": ""}, None, tmp_path) == [str(SOURCES)]
    assert in_the_way({"/etc/apt/sources.list": ""}, None, tmp_path) == []


def test_a_keyring_with_nvidias_former_key_is_found(keys: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    former, other = list(keys)[:2]
    monkeypatch.setattr(apt_files, "ROTATED_KEY", former)
    (tmp_path / "trusted.gpg.d").mkdir()
    (tmp_path / "trusted.gpg").write_bytes(keys[other])
    (tmp_path / "trusted.gpg.d" / "7fa2af80.gpg").write_bytes(keys["both, armoured"])
    (tmp_path / "trusted.gpg.d" / "debian.asc").write_bytes(keys[other])
    assert in_the_way({}, OURS, tmp_path) == [str(tmp_path / "trusted.gpg.d" / "7fa2af80.gpg")]
