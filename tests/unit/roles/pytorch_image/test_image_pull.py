"""What the engine prints when an image cannot be had, and what is made of it."""

from __future__ import annotations

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.image_pull import explain, registry_of

REFERENCE = "registry.example:5000/pytorch/pytorch:2.7.1-cuda12.6-cudnn9-runtime"
# Printed by the engines of Debian 12 (20.10.24) and Debian 13 (26.1.5).
GET = 'Error response from daemon: Get "https://registry.example:5000/v2/": '
OUTPUTS = {
    "down-20.10": GET + "dial tcp 192.0.2.7:5000: connect: connection refused",
    "timeout-26.1": GET + "dial tcp 192.0.2.7:5000: i/o timeout",
    "name-20.10": GET + "dial tcp: lookup registry.example on 127.0.0.11:53: no such host",
    "trust-20.10": GET + "x509: certificate signed by unknown authority",
    "trust-26.1": GET + "tls: failed to verify certificate: x509: certificate signed by unknown authority",
    "plain-20.10": GET + "http: server gave HTTP response to HTTPS client",
    "tag-20.10": f"Error response from daemon: manifest for {REFERENCE} not found: manifest unknown: manifest unknown",
    "hub-limit": "Error response from daemon: toomanyrequests: You have reached your pull rate limit.",
    "full-20.10": "failed to register layer: Error processing tar file(exit status 1): write /opt/x: no space left on device",
    "auth": "Error response from daemon: Head https://registry.example:5000/v2/pytorch/pytorch/manifests/x: no basic auth credentials",
    "form": "invalid reference format",
    "odd": "something that nobody has seen",
    "silent": "",
}


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("down-20.10", ["no answer from the registry registry.example:5000", "systemctl status docker-registry"]),
        ("timeout-26.1", ["no answer from the registry"]),
        ("name-20.10", ["no address for the registry registry.example:5000", "image_registry_address"]),
        ("trust-20.10", ["not trusted", "--tags image_registry"]),
        ("trust-26.1", ["not trusted"]),
        ("plain-20.10", ["not trusted", "HTTP response to HTTPS client"]),
        ("tag-20.10", [f"no image {REFERENCE}", "pytorch_image_digest"]),
        ("hub-limit", ["refuses more downloads", "image_registry_mode: mirror"]),
        ("full-20.10", ["no space left", "docker system df"]),
        ("auth", ["docker login"]),
        ("form", [REFERENCE, "64 hexadecimal"]),
        ("odd", ["something that nobody has seen", "docker pull"]),
        ("silent", ["nothing said"]),
    ],
)
def test_explanation(case: str, words: list[str]) -> None:
    message = explain(OUTPUTS[case], REFERENCE)
    assert message.startswith("found ")
    assert "xpected" in message
    assert "Next: " in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("reference", "registry"),
    [
        (REFERENCE, "registry.example:5000"),
        ("pytorch/pytorch:2.7.1", "docker.io"),
        ("pytorch:2.7.1", "docker.io"),
        ("localhost/pytorch:1", "localhost"),
        ("registry:5000/pytorch/pytorch:2.7.1@sha256:00", "registry:5000"),
    ],
)
def test_registry_of(reference: str, registry: str) -> None:
    assert registry_of(reference) == registry
