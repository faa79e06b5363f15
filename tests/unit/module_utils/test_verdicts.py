"""The one word about a node: nothing that was not measured good is ready."""

from __future__ import annotations

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.finding import Finding, Subject
from ansible_collections.gpu.fleet.plugins.module_utils.verdict import verdict

NODE = Subject("node", "n")
KINDS = {
    "pass": Finding("c", NODE, "pass", "m"),
    "skip": Finding("c", NODE, "skip", "m"),
    "error": Finding("c", NODE, "error", "m"),
    "limit": Finding("c", NODE, "fail", "m"),
    "deadly": Finding("c", NODE, "fail", "m", kills_job=True),
    "foreign": Finding("c", NODE, "warning", "m"),
}


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("", "unknown"),
        ("skip", "unknown"),
        ("pass", "ready"),
        ("pass skip", "ready"),
        ("pass limit", "degraded"),
        ("limit", "degraded"),
        ("pass error", "unknown"),
        ("limit error", "unknown"),
        ("pass foreign", "unknown"),
        ("deadly error", "not_ready"),
        ("pass deadly limit", "not_ready"),
    ],
)
def test_verdict(kinds: str, expected: str) -> None:
    assert verdict(KINDS[kind] for kind in kinds.split()) == expected
