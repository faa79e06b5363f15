"""The script that changes sshd's configuration and takes a change back; stand-ins for sshd and systemd write down what they are asked."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Protocol

import pytest

SCRIPT = Path(__file__).parents[4] / "roles" / "ssh" / "files" / "switch.sh"


class Switch(Protocol):
    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "ssh").mkdir()
    (tmp_path / "ssh" / "sshd_config").write_text("old\n", encoding="utf-8")
    return tmp_path / "ssh"


@pytest.fixture
def switch(tmp_path: Path, config: Path) -> Switch:
    commands = tmp_path / "commands"
    commands.mkdir()
    for name in ("systemctl", "systemd-run", "sshd"):
        stand_in = commands / name
        status = (
            '[ "$*" != "is-active --quiet ssh.socket" ] || [ -e "$0.socket" ]'
            if name == "systemctl"
            else f"grep -vq bad {config}/sshd_config"
        )
        stand_in.write_text(f'#!/bin/sh\necho "{name} $*" >>{tmp_path}/asked\n{status}\n', encoding="utf-8")
        stand_in.chmod(0o755)
    script = tmp_path / "switch"
    text = SCRIPT.read_text(encoding="utf-8")
    script.write_text(
        text.replace("/run/gpu-fleet-ssh", f"{tmp_path}/state").replace("/run/sshd", f"{tmp_path}/sshd").replace("/usr/sbin/sshd", "sshd"),
        encoding="utf-8",
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PATH": f"{commands}:{os.environ['PATH']}"}
        return subprocess.run(["sh", str(script), *arguments], capture_output=True, text=True, check=False, env=environment)

    return run


def arm_and_change(switch: Switch, config: Path, text: str = "new\n") -> None:
    files = [str(config / "sshd_config"), str(config / "drop-in.conf")]
    assert switch("arm", "300", "ssh", *files).returncode == 0
    for file in files:
        Path(file).write_text(text, encoding="utf-8")


def test_a_change_that_is_committed_stays(switch: Switch, config: Path, tmp_path: Path) -> None:
    arm_and_change(switch, config)
    assert switch("apply").returncode == 0
    assert switch("commit").returncode == 0
    assert (config / "drop-in.conf").read_text(encoding="utf-8") == "new\n"
    asked = (tmp_path / "asked").read_text(encoding="utf-8")
    assert "systemd-run --quiet --unit=gpu-fleet-ssh-rollback --on-active=300" in asked
    assert "systemctl reload ssh.service" in asked
    assert asked.splitlines()[-1] == "systemctl stop gpu-fleet-ssh-rollback.timer"
    assert not (tmp_path / "state").exists()


def test_a_rollback_puts_back_what_was_and_removes_what_was_not(switch: Switch, config: Path) -> None:
    arm_and_change(switch, config)
    assert switch("apply").returncode == 0
    assert switch("rollback").returncode == 0
    assert (config / "sshd_config").read_text(encoding="utf-8") == "old\n"
    assert not (config / "drop-in.conf").exists()


def test_files_of_one_name_in_two_directories_are_not_confused(switch: Switch, config: Path) -> None:
    files = [config / "a" / "alice", config / "b" / "alice"]
    for file in files:
        file.parent.mkdir()
        file.write_text(f"{file}\n", encoding="utf-8")
    assert switch("arm", "300", "ssh", *map(str, files)).returncode == 0
    files[0].write_text("new\n", encoding="utf-8")
    files[1].unlink()
    assert switch("rollback").returncode == 0
    assert [file.read_text(encoding="utf-8") for file in files] == [f"{file}\n" for file in files]


def test_after_the_timers_rollback_there_is_nothing_to_commit_or_take_back(switch: Switch, config: Path) -> None:
    arm_and_change(switch, config)
    assert switch("rollback").returncode == 0
    late = switch("commit")
    assert late.returncode == 1
    assert "taken the change back by itself" in late.stderr
    (config / "sshd_config").write_text("by hand\n", encoding="utf-8")
    assert switch("rollback").returncode == 0
    assert (config / "sshd_config").read_text(encoding="utf-8") == "by hand\n"


def test_what_sshd_refuses_is_never_loaded(switch: Switch, config: Path, tmp_path: Path) -> None:
    arm_and_change(switch, config, "bad\n")
    assert switch("apply").returncode != 0
    assert "reload" not in (tmp_path / "asked").read_text(encoding="utf-8")
    assert switch("rollback").returncode == 0
    assert (config / "sshd_config").read_text(encoding="utf-8") == "old\n"


def test_where_a_socket_listens_it_gets_the_new_port(switch: Switch, config: Path, tmp_path: Path) -> None:
    (tmp_path / "commands" / "systemctl.socket").touch()
    arm_and_change(switch, config)
    assert switch("apply").returncode == 0
    asked = (tmp_path / "asked").read_text(encoding="utf-8").splitlines()
    assert asked[-3:] == ["systemctl daemon-reload", "systemctl stop ssh.service", "systemctl restart ssh.socket"]


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not here")
def test_shellcheck_is_content() -> None:
    assert subprocess.run(["shellcheck", str(SCRIPT)], capture_output=True, text=True, check=False).stdout == ""
