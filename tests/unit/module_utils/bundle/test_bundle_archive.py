"""A bundle is used as it was made, by whom it was expected to be made, or not at all."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.bundle import archive
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.archive import HEAD, add, extract, verify
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.manifest import Image, Manifest, SystemPart
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.seal import Gathered, seal, with_versions
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.signature import Keyring
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal

REPOSITORY = "packages/Debian-12-x86_64.tar"
IMAGE = Image("images/pytorch.tar", "sha256:1", ("sha256:2",), {"pytorch_image_tag": "2.7.1"})


@dataclass(frozen=True)
class Made:
    path: Path
    fingerprint: str
    key: Path


def make(directory: Path, key: Path) -> Made:
    gathered = directory / "gathered"
    for name in (REPOSITORY, "images/pytorch.tar"):
        (gathered / name).parent.mkdir(parents=True)
        (gathered / name).write_bytes(b"layers" * 1000)
    with tarfile.open(gathered / REPOSITORY, "w") as tar:
        add(tar, "./Release", b"Origin: test\n")
    part = with_versions(
        SystemPart(REPOSITORY, {"container_engine_source": "distribution"}, (), {}, ()),
        {"docker.io": "20.10.24"},
        {"container_engine_package_version": "docker.io"},
    )
    path = directory / "fleet.tar"
    _, fingerprint = seal(Gathered("0.1.0", gathered, {"Debian-12-x86_64": part}, IMAGE), key, path)
    return Made(path, fingerprint, key)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    directory = tmp_path_factory.mktemp("bundle")
    return make(directory, directory / "secrets" / "key.asc")


def members(path: Path) -> list[tuple[str, bytes]]:
    with tarfile.open(path) as tar:
        return [(member.name, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]


def rewrite(path: Path, content: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in content:
            add(tar, name, data)
    return path


def test_it_says_what_is_in_it(made: Made) -> None:
    manifest = verify(made.path, made.fingerprint)
    part = manifest.systems["Debian-12-x86_64"]
    assert part.has == {"container_engine_source": "distribution", "container_engine_package_version": "20.10.24"}
    assert part.packages == ("docker.io=20.10.24",)
    assert manifest.image == IMAGE
    assert manifest.files.keys() == {REPOSITORY, "images/pytorch.tar"}
    assert Manifest.parse(manifest.dump()) == manifest


def test_what_is_unpacked_is_what_was_packed(made: Made, tmp_path: Path) -> None:
    extract(made.path, verify(made.path, made.fingerprint), {REPOSITORY}, tmp_path)
    assert [str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()] == [REPOSITORY]
    repository = dict(members(tmp_path / REPOSITORY))
    with Keyring(made.key.read_bytes()) as keyring:
        assert repository["./bundle.asc"] == keyring.public()
    assert b"Origin: test" in repository["./InRelease"]


def test_the_key_is_made_once_and_for_its_owner_only(made: Made, tmp_path: Path) -> None:
    assert made.key.stat().st_mode & 0o777 == 0o600
    assert make(tmp_path, made.key).fingerprint == made.fingerprint


def test_a_fingerprint_may_be_written_as_gpg_shows_it(made: Made) -> None:
    spaced = " ".join(made.fingerprint[at : at + 4] for at in range(0, 40, 4))
    verify(made.path, spaced.lower())


@pytest.mark.parametrize("fingerprint", ["", "0" * 40])
def test_another_key_is_not_trusted(made: Made, fingerprint: str) -> None:
    with pytest.raises(Refusal, match=rf"signed by the key {made.fingerprint}.*bundle_fingerprint"):
        verify(made.path, fingerprint)


def test_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="Found no bundle at"):
        verify(tmp_path / "fleet.tar", "")
    with pytest.raises(Refusal, match="Found the directory"):
        verify(tmp_path, "")
    (tmp_path / "text").write_text("no tar file\n")
    with pytest.raises(Refusal, match="being no bundle"):
        verify(tmp_path / "text", "")


def test_a_bundle_that_ends_too_early(made: Made, tmp_path: Path) -> None:
    whole = made.path.read_bytes()
    end = whole.rstrip(b"\0")
    cut = tmp_path / "fleet.tar"
    for length in (0, 100, 600, 1500, len(whole) // 2, len(end) - 1):
        cut.write_bytes(whole[:length])
        with pytest.raises(Refusal):
            verify(cut, made.fingerprint)


@pytest.mark.parametrize("name", [*HEAD, REPOSITORY, "images/pytorch.tar"])
def test_a_byte_that_was_changed_is_found_wherever_it_is(made: Made, tmp_path: Path, name: str) -> None:
    content = dict(members(made.path))
    data = bytearray(content[name])
    at = data.index(b"distribution") if name == HEAD[0] else len(data) // 2
    data[at] ^= 1
    with pytest.raises(Refusal):
        verify(rewrite(tmp_path / "fleet.tar", list({**content, name: bytes(data)}.items())), made.fingerprint)


def test_a_manifest_without_signature_is_not_read(made: Made, tmp_path: Path) -> None:
    content = [(name, data) for name, data in members(made.path) if name != HEAD[1]]
    with pytest.raises(Refusal, match=r"without manifest\.json\.asc"):
        verify(rewrite(tmp_path / "fleet.tar", content), made.fingerprint)


def test_a_file_too_many_or_too_few(made: Made, tmp_path: Path) -> None:
    content = members(made.path)
    with pytest.raises(Refusal, match="no such file by the manifest"):
        verify(rewrite(tmp_path / "more.tar", [*content, ("extra", b"")]), made.fingerprint)
    with pytest.raises(Refusal, match=f"without {REPOSITORY}"):
        verify(rewrite(tmp_path / "less.tar", content[:-1]), made.fingerprint)


def test_what_changed_between_verifying_and_unpacking_is_found(made: Made, tmp_path: Path) -> None:
    manifest = verify(made.path, made.fingerprint)
    content = [(name, data[:-1] + b"!" if name == REPOSITORY else data) for name, data in members(made.path)]
    with pytest.raises(Refusal, match=REPOSITORY):
        extract(rewrite(tmp_path / "fleet.tar", content), manifest, {REPOSITORY}, tmp_path)


def test_a_bundle_of_another_format_names_the_toolkit(made: Made) -> None:
    text = verify(made.path, made.fingerprint).dump().replace(b'"format": 1', b'"format": 2')
    with pytest.raises(Refusal, match=r"format 2, made by toolkit 0\.1\.0"):
        Manifest.parse(text)
    with pytest.raises(Refusal, match="cannot be read"):
        Manifest.parse(b"{}")


def test_an_interrupted_pack_leaves_the_former_bundle(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fleet.tar"
    path.write_bytes(b"former")

    def fails(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(tarfile.TarFile, "addfile", fails)
    with Keyring(made.key.read_bytes()) as keyring, pytest.raises(OSError, match="no space"):
        archive.pack(path, Manifest("0.1.0", "now", {}), {}, keyring)
    assert path.read_bytes() == b"former"


def test_nothing_gathered_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="no host that answers"):
        seal(Gathered("0.1.0", tmp_path, {}, None), tmp_path / "key", tmp_path / "fleet.tar")
