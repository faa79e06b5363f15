"""Kernels are told apart by the numbers in their names."""

from __future__ import annotations

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.kernels import version_key


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("6.8.0-45-generic", "6.8.0-100-generic"),
        ("6.1.0-18-amd64", "6.1.0-21-amd64"),
        ("5.14.0-427.13.1.el9_4.x86_64", "5.14.0-427.16.1.el9_4.x86_64"),
        ("5.15.0-1040-aws", "6.5.0-1001-aws"),
    ],
)
def test_kernel_versions_are_compared_as_numbers(older: str, newer: str) -> None:
    assert version_key(older) < version_key(newer)


def test_kernels_of_another_flavour_are_not_newer() -> None:
    assert version_key("6.1.0-18-cloud-amd64") == version_key("6.1.0-18-amd64")
