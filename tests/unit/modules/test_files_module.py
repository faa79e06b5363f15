"""Several files in one go: written whole, with their owners and modes, changed only where they differ, and secrets kept."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.gpu.fleet.plugins.modules import files as module


def run(capsys: pytest.CaptureFixture[str], files: list[dict[str, Any]], *, check: bool = False) -> dict[str, Any]:
    given = {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_remote_tmp": "/tmp", "_ansible_keep_remote_files": False}
    with patch_module_args({**given, "files": files}), pytest.raises(SystemExit):
        module.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def wanted(place: Path) -> list[dict[str, Any]]:
    return [
        {"path": str(place / "etc"), "mode": "0750"},
        {"path": str(place / "etc/settings"), "content": "a: ü\n", "mode": "0644"},
        {"path": str(place / "etc/key"), "secret_content": "hunter2hunter2", "mode": "0600", "owner": str(os.getuid())},
    ]


def test_all_are_had_and_a_second_time_changes_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    first = run(capsys, wanted(tmp_path))
    assert first["changed_paths"] == [each["path"] for each in wanted(tmp_path)]
    assert (tmp_path / "etc/settings").read_text(encoding="utf-8") == "a: ü\n"
    assert [oct((tmp_path / name).stat().st_mode & 0o7777) for name in ("etc", "etc/settings", "etc/key")] == ["0o750", "0o644", "0o600"]
    second = run(capsys, wanted(tmp_path))
    assert (second["changed"], second["changed_paths"], second["diff"]) == (False, [], [])


def test_only_what_differs_is_changed_and_shown_but_never_a_secret(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run(capsys, wanted(tmp_path))
    (tmp_path / "etc/settings").write_text("other\n", encoding="utf-8")
    (tmp_path / "etc/key").chmod(0o644)
    (tmp_path / "etc/key").write_text("old", encoding="utf-8")
    result = run(capsys, wanted(tmp_path))
    assert result["changed_paths"] == [str(tmp_path / "etc/settings"), str(tmp_path / "etc/key")]
    assert [(each["before"], each["after"]) for each in result["diff"]] == [("other\n", "a: ü\n")]
    assert "hunter2hunter2" not in json.dumps(result)
    assert (tmp_path / "etc/key").stat().st_mode & 0o7777 == 0o600


@pytest.mark.parametrize("secret", ['it\'s "hunter2"', "hunter2\\hunter2", "hunter2 für ädä", "hunter2\nhunter2", "hunter2\x1bhunter2"])
def test_no_content_is_logged_however_python_writes_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, secret: str
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(module.AnsibleModule, "log", lambda _, text, log_args=None: logged.append(f"{text} {log_args}"))
    files = [
        {"path": str(tmp_path / "key"), "secret_content": secret, "mode": "0600"},
        {"path": str(tmp_path / "settings"), "content": "plain", "mode": "0644"},
    ]
    result = run(capsys, files)
    assert (tmp_path / "key").read_text(encoding="utf-8") == secret
    assert logged
    assert "hunter2" not in "".join(logged)
    assert "plain" not in "".join(logged)
    # What is returned has the secret nowhere, and the rest as it is.
    assert "hunter2" not in json.dumps(result)
    assert result["changed_paths"] == [str(tmp_path / "key"), str(tmp_path / "settings")]
    assert [each["after"] for each in result["diff"]] == ["plain"]


def test_check_mode_says_what_would_be_and_does_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = run(capsys, wanted(tmp_path), check=True)
    assert len(result["changed_paths"]) == 3
    assert not (tmp_path / "etc").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_all_that_is_in_a_directory_goes_to_its_owner(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "keys/old").mkdir(parents=True)
    (tmp_path / "keys/old/key").touch(mode=0o600)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").touch()
    (tmp_path / "keys/link").symlink_to(tmp_path / "elsewhere")
    files = [{"path": str(tmp_path / "keys"), "mode": "0700", "owner": "20001", "group": "20002", "recurse": True}]
    assert run(capsys, files, check=True)["changed"]
    assert (tmp_path / "keys/old/key").stat().st_uid == 0
    assert run(capsys, files)["changed"]
    for given in ("keys/old", "keys/old/key", "keys/link"):
        status = (tmp_path / given).lstat()
        assert (status.st_uid, status.st_gid) == (20001, 20002)
    assert {(tmp_path / kept).stat().st_uid for kept in ("elsewhere", "elsewhere/file")} == {0}
    assert not run(capsys, files)["changed"]


def test_what_cannot_be_had_is_named_with_what_was_changed_before_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    files = [{"path": str(tmp_path / "a"), "content": "", "mode": "0644"}, {"path": str(tmp_path / "a/b"), "mode": "0755"}]
    result = run(capsys, files)
    assert result["failed"]
    assert f"found that {tmp_path}/a/b cannot be had" in result["msg"]
    assert result["changed_paths"] == [str(tmp_path / "a")]
