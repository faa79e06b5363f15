"""NVIDIA's installer needs a place and a checksum."""

from __future__ import annotations

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.runfile import RunFile

CHECKSUM = "sha256:" + "0a" * 32
NAME = "NVIDIA-Linux-x86_64-580.95.05.run"


@pytest.mark.parametrize("place", [f"/srv/drivers/{NAME}", f"https://us.download.nvidia.com/tesla/580.95.05/{NAME}"])
def test_a_path_or_an_address_with_a_checksum(place: str) -> None:
    assert RunFile(place, CHECKSUM).place == place


@pytest.mark.parametrize("place", ["", NAME, f"./{NAME}", f"ftp://mirror.example/{NAME}", "/srv/driver.deb", "/srv/my drivers/a.run"])
def test_a_place_that_is_none_is_refused(place: str) -> None:
    with pytest.raises(Refusal, match=r"Found '.*' as NVIDIA's installer\. Expected a path .* Next step"):
        RunFile(place, CHECKSUM)


@pytest.mark.parametrize("checksum", ["", "0a" * 32, "sha256:0a", "md5:" + "0a" * 16, "sha256:" + "0A" * 32])
def test_an_installer_without_a_checksum_is_refused(checksum: str) -> None:
    with pytest.raises(Refusal, match=r"Found the checksum .*Expected sha256: and 64 .*Next step: take it from `sha256sum"):
        RunFile(f"/srv/{NAME}", checksum)
