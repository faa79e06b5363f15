"""The bundle as one tar file: first the manifest, its signature and the key, then the files that the manifest vouches for."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from ansible_collections.gpu.fleet.plugins.module_utils.bundle.manifest import File, Manifest
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.signature import Keyring
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal

HEAD = ("manifest.json", "manifest.json.asc", "key.asc")
_CHUNK = 1 << 20
_MANIFEST_LIMIT = 64 << 20
_AGAIN = "copy the bundle from where it was made again, or make it anew"


def describe(path: Path) -> File:
    """Return checksum and size of a file."""
    with path.open("rb") as source:
        return File(_copy(source, None), path.stat().st_size)


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a small file to a tar file."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o644
    tar.addfile(member, io.BytesIO(data))


def pack(path: Path, manifest: Manifest, files: Mapping[str, Path], keyring: Keyring) -> None:
    """Write the bundle: whoever sees it at its place sees the whole."""
    beside = path.with_name(f"{path.name}.partial")
    text = manifest.dump()
    with tarfile.open(beside, "w") as tar:
        for name, data in zip(HEAD, (text, keyring.detached(text), keyring.public())):
            add(tar, name, data)
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size, member.mode = files[name].stat().st_size, 0o644
            with files[name].open("rb") as source:
                tar.addfile(member, source)
    beside.replace(path)


def verify(path: Path, fingerprint: str) -> Manifest:
    """Return the manifest of a bundle that is signed by this key and whole; refuse any other."""
    seen: set[str] = set()
    with _reading(path) as tar:
        manifest = _head(tar, path, fingerprint)
        for member in tar:
            if member.name not in HEAD:
                _check(path, manifest, member, _copy(_file(tar, member), None))
                seen.add(member.name)
    missing = sorted(manifest.files.keys() - seen)
    if missing:
        raise Refusal(f"{path} without {', '.join(missing[:3])}", f"the {len(manifest.files)} files of its manifest", _AGAIN)
    return manifest


def extract(path: Path, manifest: Manifest, names: set[str], directory: Path) -> None:
    """Unpack some of the files, each held against the manifest on its way."""
    with _reading(path) as tar:
        for member in tar:
            if member.name in names:
                target = directory / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as there:
                    checksum = _copy(_file(tar, member), there)
                _check(path, manifest, member, checksum)


@contextmanager
def _reading(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, "r:") as tar:
            yield tar
    except FileNotFoundError:
        raise Refusal(f"no bundle at {path}", "what playbooks/bundle.yml made", "name its path with -e bundle=PATH") from None
    except IsADirectoryError:
        raise Refusal(f"the directory {path}", "the tar file that playbooks/bundle.yml made", "name its path with -e bundle=PATH") from None
    except (tarfile.TarError, EOFError) as error:
        raise Refusal(f"{path} ending too early or being no bundle ({error})", "a whole bundle", _AGAIN) from error


def _head(tar: tarfile.TarFile, path: Path, fingerprint: str) -> Manifest:
    parts: dict[str, bytes] = {}
    for name in HEAD:
        member = tar.next()
        if member is None or member.name != name or member.size > _MANIFEST_LIMIT:
            raise Refusal(f"{path} without {name} in its place", "a signed bundle", _AGAIN)
        parts[name] = _file(tar, member).read()
    text, signature, key = (parts[name] for name in HEAD)
    with Keyring(key) as keyring:
        signer = keyring.signer(signature, text)
    if signer != fingerprint.replace(" ", "").upper():
        raise Refusal(
            f"{path} signed by the key {signer}",
            f"the key {fingerprint}" if fingerprint else "bundle_fingerprint to say whose bundles are trusted",
            "compare with the fingerprint that playbooks/bundle.yml printed; if it is that, set bundle_fingerprint to it",
        )
    return Manifest.parse(text)


def _check(path: Path, manifest: Manifest, member: tarfile.TarInfo, checksum: str) -> None:
    expected = manifest.files.get(member.name)
    if expected is None or expected != File(checksum, member.size):
        wanted = expected.sha256 if expected else "no such file"
        raise Refusal(f"{member.name} with checksum {checksum} in {path}", f"{wanted} by the manifest", _AGAIN)


def _file(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(member)
    if file is None:
        raise Refusal(f"{member.name} in the bundle, which is no file", "files only", _AGAIN)
    return file


def _copy(source: IO[bytes], target: BinaryIO | None) -> str:
    checksum = hashlib.sha256()
    while chunk := source.read(_CHUNK):
        checksum.update(chunk)
        if target:
            target.write(chunk)
    return checksum.hexdigest()
