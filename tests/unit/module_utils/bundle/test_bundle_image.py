"""An image is fetched from a registry as registries are: with tokens, indices, redirects and connections that are cut."""

from __future__ import annotations

import hashlib
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.image import fetch
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.registry import Repository
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


CONFIG, LAYER, OTHER = b'{"rootfs": {}}', b"layer" * 5000, b"other layer"
BLOBS = {digest(data): data for data in (CONFIG, LAYER, OTHER)}


def described(data: bytes) -> dict[str, Any]:
    return {"digest": digest(data), "size": len(data)}


# A layer may be there twice.
MANIFEST = json.dumps({"config": described(CONFIG), "layers": [described(LAYER), described(OTHER), described(LAYER)]}).encode()
INDEX = json.dumps(
    {
        "manifests": [
            {"digest": "sha256:0", "platform": {"os": "linux", "architecture": "arm64"}},
            {"digest": digest(MANIFEST), "platform": {"os": "linux", "architecture": "amd64"}},
        ]
    }
).encode()
DOCUMENTS = {"one": MANIFEST, "many": INDEX, digest(MANIFEST): MANIFEST, digest(INDEX): INDEX}


class Registry(BaseHTTPRequestHandler):
    """Asks for a token, sends who wants a blob elsewhere, and cuts the first connection for each in the middle."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[tuple[str, str]]] = []
    corrupt: ClassVar[bool] = False

    def do_GET(self) -> None:
        token = self.headers.get("Authorization", "")
        self.seen.append((self.path, token))
        base = f"http://{self.headers['Host']}"
        if self.path.startswith("/token?service=test&scope=pull"):
            self.answer(200, json.dumps({"token": "secret"}).encode())
        elif self.path.startswith("/elsewhere/"):
            self.blob(self.path.rpartition("/")[2])
        elif token != "Bearer secret":
            challenge = f'Bearer realm="{base}/token",service="test",scope="pull"'
            self.answer(401, b"", {"WWW-Authenticate": challenge})
        elif "/manifests/" in self.path:
            document = DOCUMENTS.get(self.path.rpartition("/")[2])
            self.answer(404 if document is None else 200, document or b"")
        else:
            self.answer(307, b"", {"Location": f"{base}/elsewhere/{self.path.rpartition('/')[2]}"})

    def blob(self, name: str) -> None:
        data = b"x" * len(BLOBS[name]) if self.corrupt else BLOBS[name]
        begin = int(self.headers.get("Range", "bytes=0-")[6:-1])
        first = sum(path.endswith(name) and "/elsewhere/" in path for path, _ in self.seen) == 1
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(data) - begin))
        self.end_headers()
        self.wfile.write(data[begin:][: len(data) // 2 if first else None])
        self.close_connection = True

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Registry, "seen", [])
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("reference", ["one", "many", digest(MANIFEST), digest(INDEX)])
def test_the_archive_is_one_that_docker_loads(registry: str, tmp_path: Path, reference: str) -> None:
    archive = tmp_path / "images" / "image.tar"
    image = fetch(Repository(registry, "pytorch/pytorch", tls=False), reference, "x86_64", "pytorch/pytorch:one", archive)
    whole = reference in {"many", digest(INDEX)}
    assert image == {"id": digest(CONFIG), "digests": [digest(INDEX), digest(MANIFEST)] if whole else [digest(MANIFEST)]}
    with tarfile.open(archive) as tar:
        content = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    (entry,) = json.loads(content.pop("manifest.json"))
    assert entry["RepoTags"] == ["pytorch/pytorch:one"]
    assert digest(content[entry["Config"]]) == digest(CONFIG)
    assert [digest(content[name]) for name in entry["Layers"]] == [digest(LAYER), digest(OTHER), digest(LAYER)]
    assert len(content) == 3
    assert [path.name for path in archive.parent.iterdir()] == ["image.tar"]


def test_the_token_is_for_the_registry_alone(registry: str, tmp_path: Path) -> None:
    fetch(Repository(registry, "a", tls=False), "one", "x86_64", "a:one", tmp_path / "image.tar")
    tokens = {token for path, token in Registry.seen if path.startswith("/elsewhere/")}
    assert tokens == {""}


def test_an_account_is_told_only_to_who_hands_out_tokens(registry: str, tmp_path: Path) -> None:
    fetch(Repository(registry, "a", "me", "mine", tls=False), "one", "x86_64", "a:one", tmp_path / "image.tar")
    assert {path.partition("?")[0] for path, token in Registry.seen if token.startswith("Basic ")} == {"/token"}


def test_a_layer_that_is_another_is_refused(registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Registry, "corrupt", True)
    with pytest.raises(Refusal, match="for a layer of a from"):
        fetch(Repository(registry, "a", tls=False), "one", "x86_64", "a:one", tmp_path / "image.tar")
    assert list(tmp_path.iterdir()) == []


def test_no_such_image(registry: str, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"404.*manifests/gone"):
        fetch(Repository(registry, "a", tls=False), "gone", "x86_64", "a:gone", tmp_path / "image.tar")


def test_no_image_for_the_nodes(registry: str, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="a:many for amd64, arm64"):
        fetch(Repository(registry, "a", tls=False), "many", "riscv64", "a:many", tmp_path / "image.tar")


def test_no_registry(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"no answer from http://127\.0\.0\.1:9/v2/a/manifests/one"):
        fetch(Repository("127.0.0.1:9", "a", tls=False), "one", "x86_64", "a:one", tmp_path / "image.tar")


@pytest.mark.parametrize("realm", ["file:///etc/passwd", "http://elsewhere.example/token", ""])
def test_an_account_is_sent_to_no_place_that_could_be_read_or_is_none(realm: str) -> None:
    """A registry names where tokens are; urllib would have read a file of the controller."""
    with pytest.raises(Refusal, match=r"Found registry\.example sending to .* for a token\. Expected an address that begins with https://"):
        Repository("registry.example", "a", "me", "mine")._authorize(f'Bearer realm="{realm}",service="test"')
