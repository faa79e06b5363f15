"""What a bundle lacks for a node is said before anything is changed, and what it has is told to the roles."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.fit import fits, problems, settings
from ansible_collections.gpu.fleet.plugins.module_utils.bundle.manifest import Image, Manifest, SystemPart

PART = SystemPart(
    repository="packages/Debian-12-x86_64.tar",
    has={"nvidia_driver_version": "535.309.01", "nvidia_container_toolkit_version": "1.17.8-1"},
    pins=("nvidia_container_toolkit_version",),
    keys={"nvidia_container_toolkit_key_url": "toolkit.asc"},
    packages=(),
)
IMAGE = Image("images/pytorch.tar", "sha256:1", ("sha256:2", "sha256:3"), {"pytorch_image_tag": "2.7.1-cuda12.6-cudnn9-runtime"})
MANIFEST = Manifest("0.1.0", "2026-01-01T00:00:00Z", {"Debian-12-x86_64": PART, "Debian-13-x86_64": PART}, IMAGE)


@pytest.mark.parametrize(
    ("wanted", "fit"),
    [("", True), ("auto", True), ("535.309.01", True), ("535", True), ("535.*", True), ("53", False), ("535.309.0", False), ("550", False)],
)
def test_what_fits_a_version(wanted: str, *, fit: bool) -> None:
    assert fits(wanted, "535.309.01") is fit


def test_a_bundle_with_what_is_wanted_has_no_problem() -> None:
    wanted = {"nvidia_driver_version": "535", "nvidia_container_toolkit_version": "", "pytorch_image_digest": "sha256:3"}
    assert problems(MANIFEST, "Debian-12-x86_64", wanted) == []


def test_a_system_that_it_has_nothing_for() -> None:
    (problem,) = problems(MANIFEST, "Debian-12-aarch64", {})
    assert problem.startswith("Found a node of Debian-12-aarch64. Expected Debian-12-x86_64 or Debian-13-x86_64")


def test_each_pin_that_it_does_not_have_is_named() -> None:
    wanted = {
        "nvidia_driver_version": "550",
        "nvidia_container_toolkit_version": "1.17.7-1",
        "pytorch_image_tag": "2.7.0-cuda12.6-cudnn9-runtime",
        "pytorch_image_digest": "sha256:4",
        "something_else": "1",
    }
    found = problems(MANIFEST, "Debian-12-x86_64", wanted)
    assert [next(name for name in wanted if name in problem) for problem in found] == [
        "nvidia_container_toolkit_version",
        "nvidia_driver_version",
        "pytorch_image_tag",
        "pytorch_image_digest",
    ]
    assert all(problem.startswith("Found ") and " Expected " in problem and " Next step: " in problem for problem in found)


def test_the_roles_are_told_where_to_look() -> None:
    told = settings(MANIFEST, "Debian-12-x86_64", "/var/bundle/1", "/var/bundle/image.tar", "ABC")
    assert told == {
        "nvidia_container_toolkit_key_url": "file:///var/bundle/1/keys/toolkit.asc",
        "nvidia_container_toolkit_version": "1.17.8-1",
        "nvidia_driver_archive_origin": "GPU fleet bundle",
        "pytorch_image_tag": "2.7.1-cuda12.6-cudnn9-runtime",
        "pytorch_image_archive": {"path": "/var/bundle/image.tar", "id": "sha256:1"},
        "pytorch_image_digest": "",
    }


def test_without_an_image_the_nodes_keep_their_own_way_to_it() -> None:
    told = settings(replace(MANIFEST, image=None), "Debian-12-x86_64", "/var/bundle/1", "", "ABC")
    assert not [name for name in told if name.startswith("pytorch_image")]


def test_nvidias_repository_is_found_in_the_bundle() -> None:
    part = replace(PART, has={**PART.has, "nvidia_driver_source": "nvidia"})
    told = settings(replace(MANIFEST, systems={"a": part}), "a", "/var/bundle/1", "", "ABC")
    assert told["nvidia_driver_repository_url"] == "file:/var/bundle/1/nvidia"
    assert told["nvidia_driver_repository_key_url"] == "file:///var/bundle/1/bundle.asc"
    assert told["nvidia_driver_repository_key_fingerprint"] == "ABC"
