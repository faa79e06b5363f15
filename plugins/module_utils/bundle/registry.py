"""The reading half of a registry's HTTP interface: manifests and blobs, each held against its digest."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal

DOCKER_HUB = "registry-1.docker.io"
_MEDIA_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_ATTEMPTS = 5
_CHUNK = 1 << 20


@dataclass
class Repository:
    """One repository of a registry, which is asked for a token when it wants one."""

    host: str
    name: str
    username: str = ""
    password: str = ""
    tls: bool = True
    authorization: str = ""

    def manifest(self, reference: str) -> tuple[str, dict[str, Any]]:
        """Return the digest and the content of a manifest or an index, by tag or digest."""
        with self._open(f"manifests/{reference}", {"Accept": ", ".join(_MEDIA_TYPES)}) as response:
            data = response.read()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if reference.startswith("sha256:") and reference != digest:
            raise Refusal(f"a manifest of digest {digest} from {self.host}", reference, "ask whoever runs that registry")
        content: dict[str, Any] = json.loads(data)
        return digest, content

    def blob(self, digest: str, size: int, path: Path) -> None:
        """Fetch a blob into a file, going on where a connection was cut."""
        problem = ""
        for _ in range(_ATTEMPTS):
            done = path.stat().st_size if path.exists() else 0
            if done >= size:
                break
            try:
                self._append(digest, done, path)
            except (OSError, HTTPException) as error:
                problem = str(error)
        found = f"sha256:{_checksum(path)}" if path.exists() else f"nothing ({problem})"
        if found != digest:
            path.unlink(missing_ok=True)
            raise Refusal(f"{found} for a layer of {self.name} from {self.host}", digest, "run again, or take another registry")

    def _append(self, digest: str, done: int, path: Path) -> None:
        response = self._open(f"blobs/{digest}", {"Range": f"bytes={done}-"} if done else {})
        with response, path.open("ab" if response.status == 206 else "wb") as file:  # noqa: PLR2004 - partial content
            while chunk := response.read(_CHUNK):
                file.write(chunk)

    def _open(self, path: str, headers: dict[str, str]) -> HTTPResponse:
        url = f"{'https' if self.tls else 'http'}://{self.host}/v2/{self.name}/{path}"
        for attempt in (1, 2):
            request = urllib.request.Request(url, headers=headers)  # noqa: S310 - http or https, by the line above
            if self.authorization:
                # A redirect leads to where the blobs lie, which is not to see it.
                request.add_unredirected_header("Authorization", self.authorization)
            try:
                response: HTTPResponse = urllib.request.urlopen(request, timeout=60, context=self._trust())  # noqa: S310 - as above
            except urllib.error.HTTPError as error:
                if error.code != 401 or attempt == 2:  # noqa: PLR2004 - unauthorized; asked with a token already
                    raise Refusal(f"{error} from {url}", "the image", "correct pytorch_image_* or the account, bundle_image_*") from error
                self.authorization = self._authorize(error.headers.get("WWW-Authenticate", ""))
            except urllib.error.URLError as error:
                raise Refusal(f"no answer from {url} ({error.reason})", "the registry", "make the bundle where it is reached") from error
            else:
                return response
        raise AssertionError

    def _authorize(self, challenge: str) -> str:
        basic = f"Basic {base64.b64encode(f'{self.username}:{self.password}'.encode()).decode()}" if self.username else ""
        scheme, _, parameters = challenge.partition(" ")
        if scheme.lower() != "bearer":
            return basic
        given = dict(re.findall(r'(\w+)="([^"]*)"', parameters))
        realm = given.get("realm", "")
        if not realm.startswith("https://" if self.tls else ("https://", "http://")):
            raise Refusal(
                f"{self.host} sending to {realm or 'nowhere'} for a token",
                f"an address that begins with {'https' if self.tls else 'http'}://, since an account's password goes there",
                "ask who runs the registry, or take another one",
            )
        query = urllib.parse.urlencode({key: given[key] for key in ("service", "scope") if key in given})
        request = urllib.request.Request(f"{realm}?{query}", headers={"Authorization": basic} if basic else {})  # noqa: S310 - looked at above
        with urllib.request.urlopen(request, timeout=60, context=self._trust()) as response:  # noqa: S310 - looked at above
            answer = json.load(response)
        return f"Bearer {answer.get('token') or answer['access_token']}"

    def _trust(self) -> ssl.SSLContext:
        """Trust what the system trusts and, as Docker does, the authority that is given for this registry."""
        context = ssl.create_default_context()
        authority = Path("/etc/docker/certs.d", self.host, "ca.crt")
        if authority.exists():
            context.load_verify_locations(authority)
        return context


def _checksum(path: Path) -> str:
    checksum = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            checksum.update(chunk)
    return checksum.hexdigest()
