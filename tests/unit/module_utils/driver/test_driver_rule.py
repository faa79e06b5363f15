"""A rule knows its packages again, whatever branch, version or kernel they are of."""

from __future__ import annotations

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.driver.rule import Rule


@pytest.mark.parametrize(
    ("template", "package", "same"),
    [
        ("libcuda1", "libcuda1", True),
        ("libcuda1", "libcuda1-dbg", False),
        ("libnvidia-compute-{branch}-server", "libnvidia-compute-570-server", True),
        ("libnvidia-compute-{branch}-server", "libnvidia-compute-570-server-open", False),
        ("libnvidia-compute-{branch}", "libnvidia-compute-extra", False),
        ("nvidia-driver-pinning-{version}", "nvidia-driver-pinning-580.95.05", True),
        ("nvidia-driver-pinning-{version}", "nvidia-driver-pinning-580", True),
        ("linux-headers-{kernel}", "linux-headers-6.8.0-60-generic", True),
        ("linux-headers-{kernel}", "linux-headers-generic", False),
        ("lib+x", "libbx", False),
    ],
)
def test_names_are_known_again(template: str, package: str, *, same: bool) -> None:
    assert Rule((template,), source="made up").names_it(package) is same
