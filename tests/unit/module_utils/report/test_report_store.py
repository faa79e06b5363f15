"""Results on disk: whole files, any host name, nothing malformed is fatal."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.report import store
from ansible_collections.gpu.fleet.plugins.module_utils.report.node import never_measured
from unit.module_utils.report.builders import NOW, lost, node, readiness

NAMES = [
    "gpu-01",
    "gpu.example.org",
    "..",
    ".",
    ".hidden",
    "a/b",
    "a%2Fb",
    "../../etc/passwd",
    "<b>",
    "a b",
    "knoten-ü",
    "x" * 400,
    "x" * 401,
    "nul\x00",
    "GPU-01",
]


@pytest.mark.parametrize("name", NAMES)
def test_every_host_name_has_a_safe_file_of_its_own(tmp_path: Path, name: str) -> None:
    path = tmp_path / store.file_name(name)
    assert path.parent == tmp_path
    assert path.resolve().parent == tmp_path.resolve()
    store.save(tmp_path, node(name))
    loaded, warning = store.load(tmp_path, name, set_aside=True)
    assert loaded is not None
    assert (loaded.name, warning) == (name, "")


def test_different_hosts_have_different_files() -> None:
    assert len({store.file_name(name) for name in NAMES}) == len(NAMES)


def test_a_stored_result_comes_back_as_it_was_but_not_of_this_run(tmp_path: Path) -> None:
    saved = node(readiness=readiness("not_ready", lost()), expected_verdict="not_ready")
    store.save(tmp_path, saved)
    loaded, _ = store.load(tmp_path, "gpu-01", set_aside=True)
    assert loaded == replace(saved, in_run=False, observation=None)
    assert loaded.age(NOW + timedelta(days=3, hours=2)) == "not in this run, measured 2026-11-23 04:10 UTC, 3 days ago"


def test_ages() -> None:
    stored = replace(node(), in_run=False)
    assert stored.age(NOW).endswith("just now")
    assert stored.age(NOW + timedelta(minutes=1)).endswith("1 minute ago")
    assert stored.age(NOW - timedelta(minutes=1)).endswith("04:10 UTC")
    assert replace(stored, measured_at="some day").age(NOW) == "not in this run, measured some day"
    assert node().age(NOW) == ""
    assert never_measured("x").age(NOW) == "not in this run"


def test_a_node_never_measured_is_unknown_and_says_so() -> None:
    assert never_measured("gpu-9").verdict == "unknown"
    assert "never measured" in never_measured("gpu-9").headline


def test_no_file_is_no_result_and_no_warning(tmp_path: Path) -> None:
    assert store.load(tmp_path / "absent", "gpu-01", set_aside=True) == (None, "")


RECORD = node().as_record()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("[" * 100_000, "recursion"),
        ("[]", "expected a mapping"),
        (json.dumps({**RECORD, "schema": 2}), "found schema 2, expected 1"),
        (json.dumps({**RECORD, "node": "gpu-02"}), "found the result of 'gpu-02'"),
        (json.dumps({**RECORD, "verdict": "fine"}), "found verdict 'fine'"),
        (json.dumps({**RECORD, "verdict": []}), "found verdict"),
        (json.dumps({**RECORD, "findings": {}}), "expected a list"),
    ],
)
def test_a_malformed_file_is_set_aside_and_told(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / store.file_name("gpu-01")
    path.write_text(text)
    found, warning = store.load(tmp_path, "gpu-01", set_aside=False)
    assert found is None
    assert why in warning
    assert path.exists()
    found, warning = store.load(tmp_path, "gpu-01", set_aside=True)
    assert found is None
    assert "gpu-01.json.unreadable" in warning
    assert not path.exists()
    assert (tmp_path / "gpu-01.json.unreadable").read_text() == text


def test_bytes_that_are_no_text_are_set_aside_too(tmp_path: Path) -> None:
    (tmp_path / "gpu-01.json").write_bytes(b"\xff\xfe\x00")
    assert store.load(tmp_path, "gpu-01", set_aside=True)[0] is None


def test_what_cannot_be_opened_is_told_and_left(tmp_path: Path) -> None:
    (tmp_path / "gpu-01.json").mkdir()
    found, warning = store.load(tmp_path, "gpu-01", set_aside=True)
    assert found is None
    assert "Is a directory" in warning


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    store.write(path, ["old"])

    def breaks() -> Iterator[str]:
        yield "half"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.write(path, breaks())
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o400
