"""The modules of the bundle say what they take, and refuse in words."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.gpu.fleet.plugins.modules import bundle_image, bundle_open, bundle_packages, bundle_seal

MODULES = [bundle_image, bundle_open, bundle_packages, bundle_seal]


def run(module: ModuleType, capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        module.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_the_documentation_is_the_argument_spec(module: ModuleType) -> None:
    documented = yaml.safe_load(module.DOCUMENTATION)["options"]
    keys = ("type", "required", "choices", "default", "elements")
    specified = {name: {key: option[key] for key in keys if key in option} for name, option in module.OPTIONS.items()}
    assert {name: {key: option[key] for key in keys if key in option} for name, option in documented.items()} == specified


def test_a_bundle_that_is_not_there_is_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(bundle_open, capsys, path=str(tmp_path / "fleet.tar"))
    assert result["failed"]
    assert result["msg"].startswith("Found no bundle at")


def test_what_is_asked_for_needs_a_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(bundle_open, capsys, path=str(tmp_path), files=["a"])["failed"]


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        (bundle_image, {"repository": "a", "tag": "b", "archive": "/nowhere/a.tar"}),
        (bundle_packages, {"work": "/nowhere", "target": "/nowhere/a.tar", "packages": [["a"]]}),
        (bundle_seal, {"directory": "/nowhere", "path": "/nowhere/a.tar", "signing_key": "/nowhere/key", "toolkit": "1", "systems": {}}),
    ],
)
def test_check_mode_makes_nothing(module: ModuleType, arguments: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(module, capsys, _ansible_check_mode=True, **arguments)["changed"]
    assert not Path("/nowhere").exists()
