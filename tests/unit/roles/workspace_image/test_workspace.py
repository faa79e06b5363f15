"""The entry point of the workspace image: what it hands to logins, what sshd is told, and when it ends."""

from __future__ import annotations

import importlib.util
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

FILES = Path(__file__).parents[4] / "roles/workspace_image/files"
specification = importlib.util.spec_from_file_location("workspace_image_workspace", FILES / "workspace.py")
workspace = importlib.util.module_from_spec(specification)
specification.loader.exec_module(workspace)

ALGORITHMS = {"Ciphers": ["aes256-ctr", "aes128-ctr"]}

ENVIRONMENT = {
    "PATH": "/opt/venv/bin:/usr/bin",
    "LD_LIBRARY_PATH": "/usr/local/nvidia/lib",
    "MOTTO": """it's "fine" \\o/""",
    "LINES": "a\nb",
    "HOME": "/root",
    "HOSTNAME": "x",
}


def test_a_login_gets_what_the_image_sets_and_nothing_of_roots() -> None:
    assert sorted(workspace.passed_on(ENVIRONMENT)) == ["LD_LIBRARY_PATH", "MOTTO", "PATH"]


def test_sshd_lets_in_one_user_by_key_only() -> None:
    lines = workspace.sshd_configuration("alice", workspace.passed_on(ENVIRONMENT), ALGORITHMS).splitlines()
    assert "Ciphers aes256-ctr,aes128-ctr" in lines
    closed = {"PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin no"}
    assert {"AllowUsers alice", "AuthenticationMethods publickey", *closed} <= set(lines)
    set_env = [line for line in lines if line.startswith("SetEnv")]
    assert set_env == ["""SetEnv "LD_LIBRARY_PATH=/usr/local/nvidia/lib" "MOTTO=it's \\"fine\\" \\\\o/" "PATH=/opt/venv/bin:/usr/bin\""""]
    assert "SetEnv" not in workspace.sshd_configuration("alice", {}, ALGORITHMS)


def test_a_login_shell_gets_the_same() -> None:
    environment = workspace.passed_on(ENVIRONMENT)
    script = workspace.profile(environment) + "".join(f'printf "%s\\n" "${name}"\n' for name in environment)
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == list(environment.values())
    assert shlex.quote(ENVIRONMENT["MOTTO"]) in script


PROGRAM = f"""
import importlib.util, os, signal, sys, threading
specification = importlib.util.spec_from_file_location("workspace", {str(FILES / "workspace.py")!r})
workspace = importlib.util.module_from_spec(specification)
specification.loader.exec_module(workspace)
first, second, may_sleep, after = sys.argv[1:]
# What runs beside the services on this machine is not the workspace's.
workspace.somebody_is_here = lambda own: False
if after:
    threading.Timer(float(after), os.kill, (os.getpid(), signal.SIGTERM)).start()
commands = {{"sshd": ["/bin/sh", "-c", "exec " + first], "jupyter": ["/bin/sh", "-c", "exec " + second]}}
sys.exit(workspace.Services(commands, dict(os.environ), "/", may_sleep=bool(may_sleep)).watch())
"""


def ending(first: str, second: str, may_sleep: str = "", after: str = "") -> subprocess.CompletedProcess:
    arguments = [sys.executable, "-c", PROGRAM, first, second, may_sleep, after]
    return subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize(
    ("first", "second", "may_sleep", "status", "says"),
    [
        ("false", "sleep 60", "", 1, "sshd ended with 1"),
        ("sleep 60", "true", "", 1, "jupyter ended with 0"),
        ("sleep 60", "true", "yes", 42, "jupyter ended after being idle"),
        ("sleep 60", "false", "yes", 1, "jupyter ended with 1"),
        ("true", "sleep 60", "yes", 1, "sshd ended with 0"),
    ],
)
def test_when_one_service_ends_so_does_the_other(first: str, second: str, may_sleep: str, status: int, says: str) -> None:
    done = ending(first, second, may_sleep)
    assert done.returncode == status
    assert done.stdout.startswith(f"workspace: {says}")


@pytest.mark.parametrize("may_sleep", ["", "yes"])
def test_being_asked_to_end_is_no_failure(may_sleep: str) -> None:
    assert ending("sleep 60", "sleep 60", may_sleep, "0.5").returncode == 0


def test_a_shell_is_somebody() -> None:
    with subprocess.Popen(["sleep", "60"]) as shell:
        everybody = {int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()}
        assert workspace.somebody_is_here(everybody - {shell.pid})
        shell.terminate()


@pytest.mark.parametrize(
    ("stat", "somebody"),
    [
        ("40 (bash) S 1 40 40 34816", True),
        ("40 (tmux: server) R 1 40 40 0", True),
        ("40 (a) Z (b) D 1 40 40 0", True),  # the name is whatever the process likes
        ("40 (bash) Z 1 40 40 34816", False),
    ],
)
def test_what_has_ended_is_nobody(tmp_path: Path, stat: str, *, somebody: bool) -> None:
    for pid, text in {1: "1 (python3) S 0 1 1 0", 40: stat}.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(text)
    (tmp_path / "meminfo").touch()
    (tmp_path / "41").mkdir()  # gone between the two looks
    assert workspace.somebody_is_here({1}, tmp_path) is somebody


HUB = (
    PROGRAM.partition("first, second")[0]
    + """
workspace.somebody_is_here = lambda own: not os.path.exists(sys.argv[1])
sys.exit(workspace.serve_hub(["/bin/sh", "-c", sys.argv[2]]))
"""
)


def test_a_server_of_a_hub_is_there_as_long_as_a_job_is(tmp_path: Path) -> None:
    """It ends for idleness once while a job runs and is started again, and once when the job, which it cannot see, is done."""
    server = f"echo server; test -e {tmp_path}/first && touch {tmp_path}/job-done; touch {tmp_path}/first"
    done = subprocess.run(
        [sys.executable, "-c", HUB, f"{tmp_path}/job-done", server], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.stdout.splitlines() == ["server", "server", "workspace: jupyter ended after being idle; ending"]
    assert done.returncode == 42


def test_a_server_of_a_hub_that_fails_is_not_started_again(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HUB, f"{tmp_path}/job-done", "exit 3"], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.stdout == "workspace: jupyter ended with 3; ending\n"
    assert done.returncode == 1
