"""The module as Ansible runs it: what it documents, what it refuses, what it returns."""

from __future__ import annotations

import base64
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.gpu.fleet.plugins.module_utils import expectation, kit
from ansible_collections.gpu.fleet.plugins.module_utils.history_file import PATH
from ansible_collections.gpu.fleet.plugins.module_utils.judge.checks import CHECKS
from ansible_collections.gpu.fleet.plugins.module_utils.judge.history import NAME
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation
from ansible_collections.gpu.fleet.plugins.module_utils.plain import from_plain
from ansible_collections.gpu.fleet.plugins.module_utils.readiness import FLAP_WINDOW_S, LEVELS
from ansible_collections.gpu.fleet.plugins.module_utils.tables import GPU_TABLE, XID_TABLE
from ansible_collections.gpu.fleet.plugins.modules import gpu_readiness

ROLE = Path(__file__).parents[3] / "roles" / "gpu_readiness"
BINDINGS = importlib.util.find_spec("pynvml")
assert BINDINGS is not None
assert BINDINGS.origin is not None
KIT = kit.pack(Path(BINDINGS.origin), ROLE / "files" / GPU_TABLE, ROLE / "files" / XID_TABLE, ROLE / "files" / "probe")


def run(capsys: pytest.CaptureFixture[str], *, check_mode: bool = False, **arguments: Any) -> dict[str, Any]:
    with patch_module_args({"_kit": KIT, "_ansible_check_mode": check_mode, "history": "", **arguments}), pytest.raises(SystemExit):
        gpu_readiness.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def options(described: dict[str, Any]) -> dict[str, Any]:
    """Reduce a documented or a real option to what both must say."""
    return {
        name: {
            "type": option["type"],
            "choices": option.get("choices"),
            "default": option.get("default"),
            "options": options(option.get("suboptions") or option.get("options") or {}),
        }
        for name, option in described.items()
    }


def test_the_documentation_is_the_argument_spec() -> None:
    documentation = yaml.safe_load(gpu_readiness.DOCUMENTATION)
    assert options(documentation["options"]) == options(gpu_readiness.OPTIONS)
    assert documentation["options"]["history"]["default"] == PATH
    assert documentation["options"]["flap_window_s"]["default"] == FLAP_WINDOW_S
    assert documentation["options"]["level"]["choices"] == list(LEVELS)


def test_the_role_takes_the_expectation_that_the_module_takes() -> None:
    specification = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    assert options(specification["gpu_readiness_expectation"]["options"]) == options(gpu_readiness.OPTIONS["expectation"]["options"])
    assert tuple(gpu_readiness.OPTIONS["expectation"]["options"]) == expectation.KEYS


def test_the_return_values_are_documented() -> None:
    documented = yaml.safe_load(gpu_readiness.RETURN)["readiness"]["contains"]
    assert set(documented) == {"verdict", "findings", "observation", "duration_s"}
    assert set(documented["findings"]["contains"]) == {
        "check",
        "subject",
        "status",
        "observed",
        "expected",
        "source",
        "action",
        "kills_job",
        "message",
    }


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_node_without_gpus_is_a_result_and_no_failure(capsys: pytest.CaptureFixture[str], check_mode: bool) -> None:  # noqa: FBT001
    result = run(capsys, check_mode=check_mode, expectation={"gpu_count": 2})
    assert result["changed"] is False
    readiness = result["readiness"]
    assert readiness["verdict"] == "not_ready"
    assert {finding["check"] for finding in readiness["findings"]} == {NAME, *(check.name for check in CHECKS if not check.active)}
    assert from_plain(Observation, readiness["observation"]).schema == 1
    assert 0 < readiness["duration_s"] < 30
    assert KIT not in json.dumps(result)


def test_the_history_is_all_that_is_written_and_not_in_check_mode(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "gpu-fleet" / "history.json"
    first = run(capsys, check_mode=True, history=str(file))
    assert first["changed"] is False
    assert list(tmp_path.iterdir()) == []
    run(capsys, history=str(file))
    second = run(capsys, history=str(file))
    assert [path for path in file.parent.rglob("*") if path.is_file()] == [file]
    previous = from_plain(Observation, second["readiness"]["observation"]).previous
    assert previous.is_known
    assert json.loads(file.read_text())["records"][0]["checks"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"level": "thorough"}, "value of level must be one of: passive, active, quick, standard, burn_in, got: thorough"),
        ({"level": "active"}, "image: found none, expected the image to run the probe in"),
        ({"timeout_s": 0}, "timeout_s: found 0.0, expected more than 0 seconds"),
        ({"expectation": {"gpu_cuont": 8}}, "gpu_cuont"),
        ({"expectation": {"gpu_count": -8}}, "gpu_count: found -8, expected a whole number"),
        ({"expectation": {"gpu_model": "T4", "nvlink_links": 18}}, "which is what a Tesla T4 has"),
        ({"burn_in_s": 0}, "burn_in_s: found 0.0, expected more than 0 seconds"),
        ({"flap_window_s": -1}, "flap_window_s: found -1.0, expected 0 seconds or more"),
        ({"history": "history.json"}, "history: found 'history.json', expected a path from the root"),
        ({"speed": "fast"}, "Unsupported parameters"),
        ({"_kit": None}, "expected the one that the action plugin brings"),
        ({"_kit": base64.b64encode(b"no archive").decode()}, "File is not a zip file"),
    ],
)
def test_a_bad_argument_is_a_failure(capsys: pytest.CaptureFixture[str], arguments: dict[str, Any], message: str) -> None:
    result = run(capsys, **arguments)
    assert result["failed"]
    assert message in result["msg"]


def test_the_kit_unpacks_to_what_was_packed(tmp_path: Path) -> None:
    unpacked = kit.unpack(KIT, tmp_path / "kit")
    assert unpacked.tables().gpu_named("NVIDIA H200") is not None
    assert sorted(file.name for file in unpacked.probe.iterdir()) == sorted(file.name for file in (ROLE / "files/probe").glob("*.py"))
    assert unpacked.probe.stat().st_mode & 0o777 == 0o755
