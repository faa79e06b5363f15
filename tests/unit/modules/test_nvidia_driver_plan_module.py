"""The module as Ansible runs it: what it documents, what it refuses, what it returns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.gpu.fleet.plugins.module_utils.driver.plan import Request
from ansible_collections.gpu.fleet.plugins.modules import nvidia_driver_plan

DATA = {"sources": {"archive": {"hold": "apt-mark", "packages": [{"names": ["libcuda1"], "source": "made up"}]}}}


def run(capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    given = {"system": "Debian-12", "data": DATA, "source": "archive", "_ansible_check_mode": True, **arguments}
    with patch_module_args(given), pytest.raises(SystemExit):
        nvidia_driver_plan.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_the_documentation_is_the_argument_spec() -> None:
    documented = yaml.safe_load(nvidia_driver_plan.DOCUMENTATION)["options"]
    keys = ("type", "required", "choices", "default", "elements")
    specified = nvidia_driver_plan.OPTIONS
    both = [
        {name: {key: option[key] for key in keys if key in option} for name, option in options.items()}
        for options in (documented, specified)
    ]
    assert both[0] == both[1]


def test_it_asks_for_the_plan_and_changes_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[tuple[Request, Path]] = []

    def answer(request: Request, root: Path, _fetch: object) -> dict[str, Any]:
        asked.append((request, root))
        return {"converged": True}

    monkeypatch.setattr(nvidia_driver_plan, "answer", answer)
    result = run(capsys, version="535", flavour="auto", extra_packages=["libnvcuvid1"], root="/nowhere")
    assert (result["changed"], result["plan"]) == (False, {"converged": True, "libraries": []})
    ((request, root),) = asked
    assert (request.version, request.flavour, request.extra_packages) == ("535", "auto", ("libnvcuvid1",))
    assert (request.system.name, root) == ("Debian-12", Path("/nowhere"))


@pytest.mark.parametrize("data", [{}, {"sources": {"archive": {"packages": []}}}, {"sources": {"archive": {"hold": "no", "packages": []}}}])
def test_data_that_means_nothing_fails(capsys: pytest.CaptureFixture[str], data: dict[str, Any]) -> None:
    result = run(capsys, data=data)
    assert result["failed"]
    assert result["msg"].startswith("data of Debian-12: ")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"signing_key": "/k"}, "Found nvidia_driver_signing_key '/k' and nvidia_driver_signing_certificate ''. Expected both or neither."),
        ({"source": "runfile", "runfile": "/x.run", "runfile_checksum": "md5:1"}, "Found the checksum 'md5:1' for /x.run."),
    ],
)
def test_what_is_asked_for_wrongly_is_an_answer(capsys: pytest.CaptureFixture[str], arguments: dict[str, str], error: str) -> None:
    assert run(capsys, **arguments)["plan"]["error"].startswith(error)


def test_it_says_which_libraries_a_change_of_version_would_replace(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for version in ("535.309.01", "535.261.03"):  # as where an upgrade was interrupted
        (tmp_path / "usr/lib64").mkdir(parents=True, exist_ok=True)
        (tmp_path / "usr/lib64" / f"libnvidia-ml.so.{version}").touch()
    assert run(capsys, root=str(tmp_path))["plan"]["libraries"] == ["535.261.03", "535.309.01"]
