"""Profile and fault against exactly the findings, their actions and the verdict, as matrix.txt has it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from faults.matrix import FILE, Case, cases, seen
from unit.module_utils.simulated_node import REPOSITORY, SimulatedNode, nvml_header

pytestmark = pytest.mark.skipif(
    nvml_header() is None or shutil.which("make") is None or shutil.which("gcc") is None, reason="needs nvidia-nvml-dev, make and gcc"
)

CASES = tuple(cases(FILE.read_text(encoding="utf-8")))
WORKERS = 2

Told = dict[str, Any]


@pytest.fixture(scope="session")
def judged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Told]:
    """Have all cases of this session judged, by line: each worker holds a simulated node of its own."""
    asked = [item.callspec.params["case"] for item in request.session.items if "judged" in getattr(item, "fixturenames", ())]
    built = SimulatedNode.build(tmp_path_factory.mktemp("faults")).folder
    answers: dict[int, Told] = {}
    with contextlib.ExitStack() as stack:
        alike = sorted(asked, key=lambda case: case.profile)  # neighbours have most files in common
        shares = [alike[number::WORKERS] for number in range(WORKERS)]
        begun = [begin(built, tmp_path_factory.mktemp(f"worker{number}"), share, stack) for number, share in enumerate(shares)]
        for share, (worker, output) in zip(shares, begun):
            assert worker.wait(timeout=300) == 0
            answers |= {case.line: json.loads(line) for case, line in zip(share, output.read_text().splitlines(), strict=True)}
    return answers


def begin(built: Path, folder: Path, share: list[Case], stack: contextlib.ExitStack) -> tuple[subprocess.Popen[str], Path]:
    """Start a worker on its share of the cases."""
    scenario, rows, output = folder / "scenario.conf", folder / "rows", folder / "answers"
    rows.write_text("".join(json.dumps({**asdict(case), "findings": None, "seconds": case.seconds}) + "\n" for case in share))
    environment = {**os.environ, "LD_LIBRARY_PATH": str(built), "GPU_FLEET_DOUBLE_SCENARIO": str(scenario)}
    environment["PYTHONPATH"] = f"{REPOSITORY / '.collections'}:{REPOSITORY / 'tests'}"
    command = [sys.executable, "-m", "faults.simulated", str(built / "libnvidia-ml.so.1"), str(scenario), str(folder / "root")]
    files = stack.enter_context(rows.open()), stack.enter_context(output.open("w"))
    return stack.enter_context(subprocess.Popen(command, env=environment, stdin=files[0], stdout=files[1], text=True)), output


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_exactly_these_findings_and_this_verdict(case: Case, judged: dict[int, Told]) -> None:
    answer = judged[case.line]
    assert "broken" not in answer, answer["broken"]
    found = [seen(finding) for finding in answer["findings"]]
    assert frozenset(found) == case.expected(answer["gpus"])
    assert len(found) == len(set(found)), "nothing is said twice"
    assert answer["verdict"] == case.verdict
    assert answer["duration_s"] < case.seconds + 20, "in time, whatever hangs"
    for finding in answer["findings"]:
        if finding["status"] == "fail":
            assert "found" in finding["message"]
            assert finding["source"]
            assert finding["action"] != "none", "a failure says what to do"


def test_the_matrix_is_large_and_has_every_profile_healthy() -> None:
    profiles = {path.stem for path in (REPOSITORY / "tests/doubles/nvml/profiles").glob("*.conf")}
    assert len(CASES) >= 150
    assert {case.profile for case in CASES if not case.faults and not case.before} == profiles
    assert {case.profile for case in CASES if case.verdict == "not_ready"} == profiles
    assert len({case.what for case in CASES}) == len(CASES), "no row twice"
    assert all(case.verdict == "ready" for case in CASES if not case.findings)
    assert all(case.verdict != "ready" for case in CASES if case.findings)


def test_faults_come_in_pairs_too() -> None:
    assert sum(len(case.findings) > 1 and len({check for check, *_ in case.findings}) > 1 for case in CASES) >= 20
