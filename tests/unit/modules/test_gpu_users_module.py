"""Waiting for idle GPUs: who stays is named, who counts, and that nobody is ended unless that is asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.gpu.fleet.plugins.module_utils.observe.gpu_users import GpuUser
from ansible_collections.gpu.fleet.plugins.modules import gpu_users as module

JOB = GpuUser(4711, "python", "alice", ("/dev/nvidia0",))
DAEMON = GpuUser(9, "nvidia-persiste", "root", ("/dev/nvidia0",))


def run(capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    with patch_module_args({"_ansible_check_mode": False, **arguments}), pytest.raises(SystemExit):
        module.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_S", 0.01)


def test_who_stays_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "gpu_users", lambda: (DAEMON, JOB))
    monkeypatch.setattr(module.os, "kill", lambda *_: pytest.fail("nobody asked for that"))
    result = run(capsys, wait_s=0.05, but_not=["nvidia-persistenced"])
    assert result["failed"]
    assert "process 4711 (python, of alice, /dev/nvidia0) after" in result["msg"]
    assert [each["pid"] for each in result["users"]] == [4711]


def test_it_goes_on_once_the_last_has_gone(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = iter([(DAEMON, JOB), (DAEMON, JOB), (DAEMON,)])
    monkeypatch.setattr(module, "gpu_users", lambda: next(seen))
    result = run(capsys, wait_s=60, but_not=["nvidia-persistenced"])
    assert (result["changed"], result["users"]) == (False, [])


@pytest.fixture
def stubborn() -> Iterator[subprocess.Popen[str]]:
    program = "import signal, time; signal.signal(15, signal.SIG_IGN); print('', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def test_who_does_not_heed_the_wish_is_ended_where_that_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, stubborn: subprocess.Popen[str]
) -> None:
    user = GpuUser(stubborn.pid, "python", "alice", ("/dev/nvidia0",))
    monkeypatch.setattr(module, "_LOOK_S", 2.0)
    monkeypatch.setattr(module, "gpu_users", lambda: (user,) if stubborn.poll() is None else ())
    result = run(capsys, end=True, end_s=0.1)
    assert (result["changed"], result["users"], stubborn.wait(5)) == (True, [], -9)


def test_check_mode_looks_once_and_ends_nobody(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "gpu_users", lambda: (JOB,))
    monkeypatch.setattr(module.os, "kill", lambda *_: pytest.fail("check mode"))
    result = run(capsys, _ansible_check_mode=True, wait_s=60, end=True)
    assert result["failed"]
    assert result["waited_s"] < 5
