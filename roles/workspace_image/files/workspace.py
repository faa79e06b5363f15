"""Entry point of a workspace: start JupyterLab and the SSH server, and end when either ends.

Usage: workspace.py              (a workspace of its own)
       workspace.py COMMAND...   (a user's server of a hub: the command is JupyterHub's, which also says who the user is)

It runs as the workspace's user, without any privilege, on a file system that is read-only but for what is mounted: the home directory;
/run/user/<uid>, in memory; and, in a workspace of its own, /var/lib/workspace/ssh, for the host key, and /run/workspace, read-only, with

  settings.json     secret_hash (Argon2), base_url, idle_shutdown_s (0 is never), environment (of everything that runs in the workspace)
  authorized_keys   read by sshd at every login, so that a new key needs no restart
"""

# ruff: noqa: S603, S607, T201  programs of this image are called by their names, and standard output is the container's log

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

CONFIGURATION = Path("/run/workspace")
HOST_KEY = Path("/var/lib/workspace/ssh/ssh_host_ed25519_key")
JUPYTER = [
    *("jupyter", "lab", "--config=/usr/local/lib/workspace/jupyter_config.py", "--no-browser"),
    *("--ServerApp.ip=0.0.0.0", "--ServerApp.port=8888", "--ServerApp.port_retries=0"),
]
# The exit status that tells the unit not to start the workspace again.
ASLEEP = 42
# The states of a process that has ended and waits to be reaped.
ENDED = (b"Z", b"X")
# What belongs to one process alone, or is set anew by a login.
PRIVATE = ("HOME", "HOSTNAME", "OLDPWD", "PWD", "SHLVL", "TERM", "USER", "_")
SSHD_CONFIGURATION = """\
Port 2222
HostKey {host_key}
AllowUsers {user}
AuthorizedKeysFile {authorized_keys}
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
UsePAM no
PidFile none
X11Forwarding no
PrintMotd no
ClientAliveInterval 60
Subsystem sftp internal-sftp
{algorithms}
{environment}
"""
# What ssh-audit has nothing against. An algorithm that this image's OpenSSH does not know is left out.
ALGORITHMS = {
    # Those that hold against quantum computers too: every OpenSSH since 8.5 has one of them.
    "KexAlgorithms": ("mlkem768x25519-sha256", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com"),
    "Ciphers": ("aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "aes256-ctr", "aes192-ctr", "aes128-ctr"),
    "MACs": ("hmac-sha2-512-etm@openssh.com", "hmac-sha2-256-etm@openssh.com", "umac-128-etm@openssh.com"),
    "HostKeyAlgorithms": ("ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com"),
}
_QUERIES = {"KexAlgorithms": "kex", "Ciphers": "cipher", "MACs": "mac", "HostKeyAlgorithms": "key"}


def passed_on(environment: dict[str, str]) -> dict[str, str]:
    """Return what the image, the engine and the workspace set, such as PATH and the libraries' places, for logins to have it too."""
    return {name: value for name, value in sorted(environment.items()) if name not in PRIVATE and "\n" not in value}


def known_algorithms() -> dict[str, list[str]]:
    """Return which of the algorithms this image's OpenSSH knows."""
    known = {}
    for option, query in _QUERIES.items():
        listed = subprocess.run(["ssh", "-Q", query], capture_output=True, text=True, check=True).stdout.split()
        known[option] = [name for name in ALGORITHMS[option] if name in listed]
    known["KexAlgorithms"] = known["KexAlgorithms"] or ["curve25519-sha256"]
    return known


def sshd_configuration(user: str, environment: dict[str, str], algorithms: dict[str, list[str]]) -> str:
    """Return sshd's configuration. Only the first SetEnv counts, so all variables stand on one line."""
    pairs = ['"{}={}"'.format(name, value.replace("\\", "\\\\").replace('"', '\\"')) for name, value in environment.items()]
    return SSHD_CONFIGURATION.format(
        host_key=HOST_KEY,
        user=user,
        authorized_keys=CONFIGURATION / "authorized_keys",
        algorithms="\n".join(f"{option} {','.join(names)}" for option, names in algorithms.items()),
        environment=f"SetEnv {' '.join(pairs)}" if pairs else "",
    )


def profile(environment: dict[str, str]) -> str:
    """Return a script for login shells, whose own start-up sets PATH anew."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())


def furnish(home: Path) -> None:
    """Give an empty home what a new user's has."""
    if not any(home.iterdir()):
        shutil.copytree("/etc/skel", home, dirs_exist_ok=True)


def prepare_ssh(account: pwd.struct_passwd, runtime: Path, environment: dict[str, str]) -> Path:
    """Have a host key that outlives the container, and a configuration that sshd accepts."""
    if not HOST_KEY.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(HOST_KEY)], check=True)
    (runtime / "profile").write_text(profile(environment), encoding="utf-8")
    configuration = runtime / "sshd_config"
    configuration.write_text(sshd_configuration(account.pw_name, environment, known_algorithms()), encoding="utf-8")
    subprocess.run(["/usr/sbin/sshd", "-t", "-f", str(configuration)], check=True)
    return configuration


def somebody_is_here(own: set[int], processes: Path = Path("/proc")) -> bool:
    """Say whether anything runs but this entry point and its services: a login, a tmux session, a job."""
    for process in processes.iterdir():
        if process.name.isdigit() and int(process.name) not in own:
            with contextlib.suppress(OSError):
                # "pid (name) state …". The command line says nothing of it: it is empty in a process that is starting, too.
                if (process / "stat").read_bytes().rpartition(b") ")[2][:1] not in ENDED:
                    return True
    return False


class Services:
    """The programs that a workspace consists of, by name."""

    def __init__(self, commands: dict[str, list[str]], environment: dict[str, str], home: str, *, may_sleep: bool) -> None:
        """Start all of them."""
        self._commands, self._environment, self._home, self._may_sleep = commands, environment, home, may_sleep
        self._running: dict[str, subprocess.Popen] = {}
        self._asked_to_end = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        for name in commands:
            self._start(name)

    def _start(self, name: str) -> None:
        self._running[name] = subprocess.Popen(self._commands[name], env=self._environment, cwd=self._home, start_new_session=True)

    def _end(self, *signals: object) -> None:
        self._asked_to_end = self._asked_to_end or bool(signals)
        for process in self._running.values():
            process.terminate()

    def watch(self) -> int:
        """Reap whatever ends, as the first process of a container must, until one of the services does; then end the others.

        Where the workspace may sleep, JupyterLab ends by itself when it was idle for long enough: it sees kernels and terminals. While a
        login, a tmux session or a job is left, which it does not see, it is started again, else the workspace sleeps until it is started.
        """
        while True:
            ended, status = os.wait()
            name = next((name for name, process in self._running.items() if process.pid == ended), "")
            if not name:
                continue
            code = os.waitstatus_to_exitcode(status)
            del self._running[name]
            was_idle = self._may_sleep and name == "jupyter" and code == 0 and not self._asked_to_end
            if was_idle and somebody_is_here({os.getpid(), *(process.pid for process in self._running.values())}):
                self._start(name)
                continue
            break
        print(f"workspace: {name} ended {'after being idle' if was_idle else f'with {code}'}; ending", flush=True)
        self._end()
        for process in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            process.kill()
        if was_idle:
            return ASLEEP
        return 0 if self._asked_to_end else 1


def serve_hub(command: list[str]) -> int:
    """Start a user's server of a hub and stay until it ends. What it is told is in its environment and on its command line."""
    os.umask(0o022)
    return Services({"jupyter": command}, dict(os.environ), os.environ["HOME"], may_sleep=True).watch()


def main() -> int:
    """Start both services and stay until one of them ends."""
    os.umask(0o022)
    account = pwd.getpwuid(os.getuid())
    runtime = Path(f"/run/user/{account.pw_uid}")
    settings = json.loads((CONFIGURATION / "settings.json").read_text(encoding="utf-8"))
    environment = {
        **passed_on(dict(os.environ)),
        "XDG_RUNTIME_DIR": str(runtime),
        "JUPYTER_RUNTIME_DIR": str(runtime / "jupyter"),
        "PATH": f"{account.pw_dir}/.local/bin:{os.environ['PATH']}",
        **settings["environment"],
    }
    furnish(Path(account.pw_dir))
    own = {"HOME": account.pw_dir, "USER": account.pw_name, "LOGNAME": account.pw_name, "SHELL": "/bin/bash"}
    commands = {"sshd": ["/usr/sbin/sshd", "-D", "-e", "-f", str(prepare_ssh(account, runtime, environment))], "jupyter": JUPYTER}
    return Services(commands, {**environment, **own}, account.pw_dir, may_sleep=settings["idle_shutdown_s"] > 0).watch()


if __name__ == "__main__":
    sys.exit(serve_hub(sys.argv[1:]) if sys.argv[1:] else main())
