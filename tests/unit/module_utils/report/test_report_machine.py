"""JUnit XML and JSON: they parse back, and say the same as the page."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.report import document, junit
from ansible_collections.gpu.fleet.plugins.module_utils.report.node import Node, never_measured
from ansible_collections.gpu.fleet.plugins.module_utils.report.publish import publish
from ansible_collections.gpu.fleet.plugins.module_utils.report.toolkit import toolkit_version
from unit.module_utils.report.builders import finding, fleet, lost, node, readiness, speed

MIXED = readiness(
    "not_ready",
    finding(check="ecc"),
    finding("skip", check="nvlink", message="no NVLink"),
    lost(),
    finding("error", check="xid", message="unreadable"),
    speed(600),
    speed(700, 1),
)


def suites(*nodes: Node, notice: str = "") -> dict[str, ET.Element]:
    root = ET.fromstring("".join(junit.document(fleet(*nodes, notice=notice))))
    assert root.tag == "testsuites"
    return {suite.get("name", ""): suite for suite in root}


def test_junit_has_a_suite_per_node_and_a_case_per_check() -> None:
    suite = suites(node(readiness=MIXED), notice="Simulated GPUs")["gpu-01"]
    cases = {case.get("name"): [child.tag for child in case] for case in suite.iter("testcase")}
    assert cases == {
        "verdict": ["failure"],
        "gpu_count": ["failure"],
        "xid": ["error"],
        "matmul": ["failure"],
        "nvlink": ["skipped"],
        "ecc": [],
    }
    assert [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["6", "3", "1", "1"]
    skipped = next(suite.iter("skipped"))
    assert skipped.get("message") == "no NVLink"
    assert {each.get("name"): each.get("value") for each in suite.iter("property")}["notice"] == "Simulated GPUs"
    failure = next(case for case in suite.iter("testcase") if case.get("name") == "matmul")[0]
    assert failure.text is not None
    assert "GPU 0 (00000000:10:00.0): fail" in failure.text
    assert "expected ≥ 635 TFLOP/s" in failure.text


def test_junit_of_a_node_not_in_this_run_is_skipped_not_failed() -> None:
    found = suites(replace(node("old", readiness=MIXED), in_run=False), never_measured("never"))
    for suite in found.values():
        assert [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["1", "0", "0", "1"]


def test_junit_follows_the_expected_verdict() -> None:
    suite = suites(replace(node(readiness=MIXED), expected_verdict="not_ready"))["gpu-01"]
    verdict = next(case for case in suite.iter("testcase") if case.get("name") == "verdict")
    assert not list(verdict)


def test_junit_carries_any_text() -> None:
    evil = 'a"<>&\x00\x1b\ud800]]>\n'
    suite = suites(node(evil, readiness=readiness("not_ready", lost(check=evil, message=evil))), notice=evil)
    assert len(suite) == 1


def test_json_parses_back_with_all_findings() -> None:
    found = json.loads(
        "".join(document.document(fleet(node(readiness=MIXED), never_measured("gpu-02"), notice="Simulated", warnings=("w",))))
    )
    assert (found["schema"], found["notice"], found["accepted"], found["warnings"]) == (1, "Simulated", False, ["w"])
    assert found["counts"] == {"ready": 0, "degraded": 0, "unknown": 1, "not_ready": 1}
    first = found["nodes"][0]
    assert (first["node"], first["verdict"], first["accepted"], first["in_run"]) == ("gpu-01", "not_ready", False, True)
    assert {json.dumps(each, sort_keys=True) for each in first["findings"]} == {
        json.dumps(each, sort_keys=True) for each in MIXED["findings"]
    }
    assert found["nodes"][1]["accepted"] is None
    assert found["problems"][0]["check"] == "gpu_count"


def test_json_of_nothing_is_json() -> None:
    assert json.loads("".join(document.document(fleet())))["nodes"] == []


def test_all_files_are_written_and_only_results_of_this_run_are_stored(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "reports"
    publish(fleet(node(), never_measured("gpu-02")), directory)
    assert sorted(path.name for path in directory.iterdir()) == ["nodes", "report.html", "report.json", "report.xml"]
    assert [path.name for path in (directory / "nodes").iterdir()] == ["gpu-01.json"]


def test_the_version_is_found_however_the_collection_came(tmp_path: Path) -> None:
    assert toolkit_version(tmp_path) == "of unknown version"
    (tmp_path / "MANIFEST.json").write_text('{"collection_info": {"version": "1.2.3"}}')
    assert toolkit_version(tmp_path) == "1.2.3"
    (tmp_path / "galaxy.yml").write_text("version: 1.2.4\n")
    assert toolkit_version(tmp_path) == "1.2.4"
