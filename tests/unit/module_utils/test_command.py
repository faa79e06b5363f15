"""The node's own command: what it says, how it ends, and that nothing but a good verdict ends it with 0."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils import command, command_settings, kit, program
from ansible_collections.gpu.fleet.plugins.module_utils.command_settings import Settings, SettingsError
from ansible_collections.gpu.fleet.plugins.module_utils.finding import Finding, Subject
from ansible_collections.gpu.fleet.plugins.module_utils.judge.checks import CHECKS
from ansible_collections.gpu.fleet.plugins.module_utils.judge.history import NAME
from ansible_collections.gpu.fleet.plugins.module_utils.plain import to_plain
from ansible_collections.gpu.fleet.plugins.module_utils.prometheus import textfile
from ansible_collections.gpu.fleet.plugins.module_utils.tables import GPU_TABLE, XID_TABLE
from unit.module_utils.healthy_node import FILES, TABLES, address, known, observation

GPU3, NODE = Subject("gpu", address(3), 3), Subject("node", "node1")
LOST = Finding(
    "gpu_answers", GPU3, "fail", "found GPU 3 lost,\nexpected | it to answer", "lost", "answers", "NVML", "reboot", kills_job=True
)
HOT = Finding("temperature", GPU3, "fail", "found 90, expected at most 84")
GOOD = Finding("driver", NODE, "pass", "the driver answers")


def readiness(verdict: str, *findings: Finding, **changes: Any) -> dict[str, Any]:
    plain = [finding.to_plain() for finding in findings]
    return {"verdict": verdict, "findings": plain, "observation": to_plain(observation(**changes)), "duration_s": 0.3}


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "readiness.json"
    file.write_text(json.dumps({"history": str(tmp_path / "history.json"), "prometheus": str(tmp_path / "gpu.prom")}))
    return file


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    file = tmp_path / "gpu-fleet-readiness"
    file.write_bytes(program.pack(sys.executable, kit.bindings_file(), FILES / GPU_TABLE, FILES / XID_TABLE))
    file.chmod(0o755)
    return file


def run(packed: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([packed, *arguments], capture_output=True, text=True, check=False, env={**os.environ, **environment})


@pytest.mark.parametrize(("verdict", "status"), [("ready", 0), ("degraded", 1), ("not_ready", 2), ("unknown", 3)])
def test_the_exit_status_is_the_verdict(
    verdict: str, status: int, settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_tables", lambda: TABLES)
    monkeypatch.setattr(command, "measure", lambda *_: readiness(verdict, GOOD))
    assert command.main(["--settings", str(settings)]) == status
    assert capsys.readouterr().out == f"GPU {verdict.upper()}: findings: 1 pass\n"
    assert f'gpu_fleet_verdict{{verdict="{verdict}"}} 1\n' in (settings.parent / "gpu.prom").read_text()


def test_what_would_kill_a_job_is_said_first_and_in_one_line() -> None:
    first, *rest = command.summary(readiness("not_ready", HOT, GOOD, LOST))
    assert first == "GPU NOT_READY: gpu_answers of gpu 00000000:61:00.0: found GPU 3 lost, expected / it to answer (and 1 more)"
    assert [line.split(" of ")[0] for line in rest] == ["- gpu_answers", "- temperature"]


@pytest.mark.parametrize("trouble", [ValueError("found\nrubbish"), RuntimeError(), KeyError("verdict"), MemoryError("none left")])
def test_whatever_goes_wrong_is_unknown(
    trouble: Exception, settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(*_: object) -> Any:
        raise trouble

    monkeypatch.setattr(command, "_tables", lambda: TABLES)
    monkeypatch.setattr(command, "measure", measure)
    assert command.main(["--settings", str(settings)]) == 3
    assert capsys.readouterr().out.startswith("GPU UNKNOWN: ")
    assert 'gpu_fleet_verdict{verdict="unknown"} 1\n' in (settings.parent / "gpu.prom").read_text()


def test_a_check_that_never_ends_is_unknown(settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import time  # noqa: PLC0415

    monkeypatch.setattr(command, "_GRACE_S", 0.0)
    monkeypatch.setattr(command, "_tables", lambda: TABLES)
    monkeypatch.setattr(command, "measure", lambda *_: time.sleep(60))
    settings.write_text('{"timeout_s": 0.1}')
    assert command.main(["--settings", str(settings)]) == 3
    assert "did not end in time" in capsys.readouterr().out


def test_a_verdict_is_none_the_worse_where_prometheus_cannot_be_told(
    settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_tables", lambda: TABLES)
    monkeypatch.setattr(command, "measure", lambda *_: readiness("ready", GOOD))
    assert command.main(["--settings", str(settings), "--prometheus", str(settings / "no" / "folder.prom")]) == 0
    assert "Not a directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found no JSON"),
        ('{"expectation": {"gpu_count": 8}', "found no JSON"),
        ("[]", "found list, expected an object"),
        ('{"expectaton": {}}', "expectaton: there is no such key; there are expectation"),
        ('{"expectation": {"gpu_cuont": 8}}', "expectation: expectation: gpu_cuont: there is no such key, is gpu_count meant?"),
        ('{"expectation": 8}', "expectation: found 8, expected an object"),
        ('{"timeout_s": 0}', "timeout_s: found 0, expected more than 0"),
        ('{"timeout_s": "long"}', "timeout_s: found 'long', expected seconds"),
        ('{"flap_window_s": -1}', "flap_window_s: found -1, expected seconds"),
        ('{"history": "here.json"}', "history: found 'here.json', expected a path from the root"),
    ],
)
def test_a_mistake_in_the_settings_is_named_by_file_and_key(settings: Path, text: str, message: str) -> None:
    settings.write_text(text)
    with pytest.raises(SettingsError) as raised:
        command_settings.read(settings)
    assert str(raised.value).startswith(f"{settings}: {message}")


def test_the_usual_settings_may_be_absent_and_others_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_settings, "PATH", str(tmp_path / "none.json"))
    assert command_settings.read(tmp_path / "none.json") == Settings()
    with pytest.raises(SettingsError, match="there is no such file"):
        command_settings.read(tmp_path / "other.json")


def test_prometheus_has_one_line_for_each_check_and_gpu() -> None:
    warm = [Finding("temperature", Subject("gpu", address(index), index), "pass", "34") for index in range(8) if index != 3]
    link = Finding("nvlink_errors", Subject("link", "GPU-5/nvlink3"), "fail", "found 7 errors")
    node = Finding("clock", NODE, "error", "could not be read")
    lines = textfile(readiness("not_ready", GOOD, HOT, *warm, link, node), 1767225600.4).splitlines()
    ready = [line for line in lines if line.startswith("gpu_fleet_ready{")]
    assert len(ready) == 4 * 8
    bad = [line.split("{")[1].split(",pci")[0] for line in ready if line.endswith(" 0")]
    assert bad == [
        'check="temperature",gpu="3"',
        'check="nvlink_errors",gpu="5"',
        *(f'check="clock",gpu="{index}"' for index in range(8)),
    ]
    assert 'gpu_fleet_ready{check="driver",gpu="0",pci_bus_id="00000000:1b:00.0",uuid="GPU-0"} 1' in lines
    assert "gpu_fleet_check_time_seconds 1767225600" in lines


def test_prometheus_is_told_of_a_gpu_that_nvml_does_not_count() -> None:
    missing = Finding("gpu_count", Subject("gpu", "00000000:df:00.0"), "fail", "missing", kills_job=True)
    text = textfile(readiness("not_ready", GOOD, missing, gpus={7: None}), 0)
    assert 'gpu_fleet_ready{check="gpu_count",gpu="",pci_bus_id="00000000:df:00.0",uuid=""} 0\n' in text
    assert 'gpu_fleet_ready{check="gpu_count",gpu="0",pci_bus_id="00000000:1b:00.0",uuid="GPU-0"} 1\n' in text
    nothing = textfile(readiness("unknown", Finding("driver", NODE, "error", "?"), nvml={"gpus": known(())}), 0)
    assert 'gpu_fleet_ready{check="driver",gpu="",pci_bus_id="",uuid=""} 0\n' in nothing


def test_the_packed_command_checks_this_machine(packed: Path, settings: Path) -> None:
    done = run(packed, "--settings", str(settings), "--json")
    result = json.loads(done.stdout)
    assert done.returncode == command.EXIT[result["verdict"]]
    assert done.returncode != 0  # there is no GPU here, or it is not one that is meant
    assert json.loads((settings.parent / "history.json").read_text())["records"][0]["verdict"] == result["verdict"]
    assert run(packed, "--settings", str(settings), "--check").returncode == done.returncode
    assert json.loads((settings.parent / "history.json").read_text())["records"][0]["checks"] == 1


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "de_DE.ISO-8859-1", "TZ": "America/St_Johns"},
        {"PYTHONPATH": "/nonexistent", "PYTHONHOME": "/nonexistent"},
    ],
)
def test_the_packed_command_depends_on_no_locale_time_zone_or_path(packed: Path, settings: Path, environment: dict[str, str]) -> None:
    here, there = (run(packed, "--settings", str(settings), "--check", **more) for more in ({}, environment))
    assert there.returncode == here.returncode
    assert [line.split(":")[0] for line in there.stdout.splitlines()] == [line.split(":")[0] for line in here.stdout.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--bogus"], "wrong arguments"), (["--settings", "/nonexistent.json"], "/nonexistent.json: there is no such file")],
)
def test_a_wrong_argument_is_unknown(packed: Path, arguments: list[str], message: str) -> None:
    done = run(packed, *arguments)
    assert done.returncode == 3
    assert done.stdout.startswith("GPU UNKNOWN: ")
    assert message in done.stdout


def test_a_command_that_is_broken_is_unknown(packed: Path, settings: Path) -> None:
    packed.write_bytes(packed.read_bytes().replace(b"gpu_reference.csv", b"gpu_referenze.csv"))
    done = run(packed, "--settings", str(settings))
    assert (done.returncode, done.stdout.split(":")[0]) == (3, "GPU UNKNOWN")


@pytest.mark.parametrize("output", [">/dev/full", ">&-", "| true"])
def test_a_verdict_that_nobody_hears_is_no_good_one(packed: Path, settings: Path, output: str) -> None:
    script = f"{{ {packed} --settings {settings} --help; echo $? >&2; }} {output}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "3"


def test_each_file_is_compiled_once(packed: Path) -> None:
    told = "sys.addaudithook(lambda event, about: event == 'compile' and sys.stderr.write(f'{about[1]}\\n'))"
    start = f"import runpy, sys; {told}; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", start, packed, "--help"], capture_output=True, text=True, check=True)
    ours = [line for line in done.stderr.splitlines() if "module_utils/" in line and not line.endswith(("__init__.py", "/archive.py"))]
    assert len(ours) > 50
    assert len(ours) == len(set(ours))


def python(version: str) -> str:
    """Find an interpreter, in the path or where pyenv keeps them; one that is there may still be a signpost to none."""
    for each in (f"python{version}", *map(str, (Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python"))):
        if shutil.which(each) and subprocess.run([each, "-c", ""], capture_output=True, check=False).returncode == 0:
            return each
    pytest.skip(f"no Python {version} here")


@pytest.mark.parametrize("version", [f"3.{minor}" for minor in range(9, 15)])
def test_every_python_runs_it_without_a_warning(packed: Path, settings: Path, version: str) -> None:
    start = [python(version), "-I", "-W", "error", str(packed), "--settings", str(settings), "--check", "--json"]
    done = subprocess.run(start, capture_output=True, text=True, check=False)
    assert {finding["check"] for finding in json.loads(done.stdout)["findings"]} == {
        NAME,
        *(check.name for check in CHECKS if not check.active),
    }
    assert done.stderr == ""


def test_help_is_no_verdict(packed: Path) -> None:
    done = run(packed, "--help")
    assert done.returncode == 0
    assert "0 ready, 1 degraded, 2 not_ready, 3" in done.stdout


def test_the_same_files_make_the_same_program(packed: Path) -> None:
    assert program.pack(sys.executable, kit.bindings_file(), FILES / GPU_TABLE, FILES / XID_TABLE) == packed.read_bytes()


SCONTROL = '#!/bin/sh\necho "$@" >> "$LOG"\ncase $1 in show) echo "State=$STATE";; esac\n'


@pytest.mark.parametrize(
    ("status", "state", "drained"),
    [(0, "IDLE", False), (1, "IDLE", False), (2, "IDLE", True), (3, "MIXED", True), (2, "IDLE+DRAIN", False)],
)
def test_slurm_drains_what_is_not_to_be_used(tmp_path: Path, status: int, state: str, drained: bool) -> None:  # noqa: FBT001
    for name, text in (("scontrol", SCONTROL), ("check", f"#!/bin/sh\necho 'GPU NOT_READY: ecc'\necho '- more'\nexit {status}\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "LOG": str(tmp_path / "log"), "STATE": state, "SLURMD_NODENAME": "gpu-7"}
    subprocess.run(
        [FILES / "slurm-health-check.sh"], env={**environment, "GPU_FLEET_READINESS": str(tmp_path / "check")}, check=True, timeout=10
    )
    log = (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""
    assert ("update NodeName=gpu-7 State=DRAIN Reason=GPU NOT_READY: ecc\n" in log) == drained


def test_slurm_drains_a_node_whose_check_is_gone(tmp_path: Path) -> None:
    (tmp_path / "scontrol").write_text(SCONTROL)
    (tmp_path / "scontrol").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "LOG": str(tmp_path / "log"), "SLURMD_NODENAME": "gpu-7"}
    subprocess.run([FILES / "slurm-health-check.sh"], env={**environment, "GPU_FLEET_READINESS": "/nonexistent"}, check=True, timeout=10)
    assert "State=DRAIN" in (tmp_path / "log").read_text()
