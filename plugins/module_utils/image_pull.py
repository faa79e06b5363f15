"""Explain in words of this fleet why an image could not be pulled or pushed."""

from __future__ import annotations

import re

# What the engine prints (Docker 20.10 to 28), what that means, and the next step. The first that matches wins.
_REASONS = (
    (
        r"connection refused|no route to host|i/o timeout|Client\.Timeout|TLS handshake timeout|connection reset|EOF$",
        "no answer from the registry {registry}",
        "the registry to answer",
        "on the registry's host look at `systemctl status docker-registry`; from this node try `curl https://{registry}/v2/`",
    ),
    (
        r"no such host|server misbehaving|Temporary failure in name resolution",
        "no address for the registry {registry}",
        "a name that this node can resolve",
        "check the node's DNS or /etc/hosts and the variable image_registry_address",
    ),
    (
        r"x509:|certificate signed by unknown authority|server gave HTTP response to HTTPS client",
        "the registry {registry} is not trusted ({detail})",
        "a certificate from the fleet's own authority",
        "run the playbook with --tags image_registry, which hands out the authority's certificate",
    ),
    (
        r"toomanyrequests|429 Too Many Requests",
        "the registry {registry} refuses more downloads from this address for now",
        "a download",
        "set image_registry_address to a registry of the fleet's own (image_registry_mode: mirror)",
    ),
    (
        r"no space left on device",
        "no space left on this node for {reference}",
        "room for the image (PyTorch's CUDA images unpack to 7 to 15 GB)",
        "see `docker system df` and `df -h` on the node",
    ),
    (
        r"manifest unknown|manifest for .* not found|repository .* not found|NAME_UNKNOWN|name unknown",
        "no image {reference} in the registry {registry}",
        "the tag and the digest that the inventory names",
        "push the image to the registry, or correct pytorch_image_version, pytorch_image_tag or pytorch_image_digest",
    ),
    (
        r"unauthorized|denied|authentication required|no basic auth credentials",
        "the registry {registry} does not let this node have {reference} ({detail})",
        "an image that may be read",
        "check the name; for a private registry run `docker login` on the node",
    ),
    (
        r"invalid reference format|invalid checksum digest",
        "{reference}",
        "a name of the form registry/repository:tag@sha256:<64 hexadecimal digits>",
        "correct the pytorch_image variables",
    ),
)


def registry_of(reference: str) -> str:
    """Return the registry that an image's name means."""
    first, _, rest = reference.partition("/")
    return first if rest and re.search(r"[.:]|^localhost$", first) else "docker.io"


def explain(output: str, reference: str) -> str:
    """Return found, expected and next step for what the engine printed."""
    lines = [line for line in output.strip().splitlines() if line.strip()] or ["nothing said"]
    detail = lines[-1].removeprefix("Error response from daemon: ").strip()
    for pattern, found, expected, following in _REASONS:
        if re.search(pattern, output, re.IGNORECASE | re.MULTILINE):
            words = {"registry": registry_of(reference), "reference": reference, "detail": detail}
            said = "" if "{detail}" in found else f" The engine said: {detail}."
            return f"found {found.format(**words)}, expected {expected}. Next: {following.format(**words)}.{said}"
    return (
        f"found that {reference} cannot be had: {detail}. Expected the engine to bring it. Next: try `docker pull {reference}` on the node."
    )
