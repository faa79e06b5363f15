"""Entry point of a workspace: start JupyterLab and the SSH server, and end when either ends.

Read from the environment: WORKSPACE_USER, WORKSPACE_UID. Mounted: /home/<user>; /var/lib/workspace/ssh, where the host keys are kept;
/run/workspace with `token` (read by root only) and `authorized_keys` (read by sshd at every login, so a new key needs no restart).
"""

# ruff: noqa: S603, S607, T201  programs of this image are called by their names, and standard output is the container's log

from __future__ import annotations

import contextlib
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
RUNTIME = Path("/run/jupyter")
# What belongs to this process alone, or is set anew by a login.
PRIVATE = ("HOME", "HOSTNAME", "OLDPWD", "PWD", "SHLVL", "TERM", "USER", "WORKSPACE_UID", "WORKSPACE_USER", "_")
SSHD_CONFIGURATION = """\
Port 22
HostKey {host_key}
AllowUsers {user}
AuthorizedKeysFile {authorized_keys}
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
UsePAM no
X11Forwarding no
PrintMotd no
ClientAliveInterval 60
Subsystem sftp internal-sftp
{environment}
"""


def passed_on(environment: dict[str, str]) -> dict[str, str]:
    """Return what the image and the engine set, such as PATH and the libraries' places, for logins to have it too."""
    return {name: value for name, value in sorted(environment.items()) if name not in PRIVATE and "\n" not in value}


def sshd_configuration(user: str, environment: dict[str, str]) -> str:
    """Return sshd's configuration. Only the first SetEnv counts, so all variables stand on one line."""
    pairs = ['"{}={}"'.format(name, value.replace("\\", "\\\\").replace('"', '\\"')) for name, value in environment.items()]
    return SSHD_CONFIGURATION.format(
        host_key=HOST_KEY,
        user=user,
        authorized_keys=CONFIGURATION / "authorized_keys",
        environment=f"SetEnv {' '.join(pairs)}" if pairs else "",
    )


def profile(environment: dict[str, str]) -> str:
    """Return a script for login shells, whose own start-up sets PATH anew."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())


def make_user(user: str, uid: int) -> pwd.struct_passwd:
    """Have the user, without a password that could be used, and a home directory that is theirs."""
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        options = ["--no-create-home", "--user-group", "--shell=/bin/bash", "--password=*", "--non-unique", f"--uid={uid}"]
        subprocess.run(["useradd", *options, user], check=True)
        account = pwd.getpwnam(user)
    home = Path(account.pw_dir)
    if not any(home.iterdir()):
        home.chmod(0o700)
        shutil.copytree("/etc/skel", home, dirs_exist_ok=True)
        for path in home.rglob("*"):
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
    os.chown(home, account.pw_uid, account.pw_gid)
    return account


def prepare_ssh(user: str) -> Path:
    """Have host keys that outlive the container, and a configuration that sshd accepts."""
    if not HOST_KEY.exists():
        HOST_KEY.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(HOST_KEY)], check=True)
    HOST_KEY.parent.chmod(0o700)
    HOST_KEY.chmod(0o600)
    environment = passed_on(dict(os.environ))
    Path("/etc/profile.d/workspace.sh").write_text(profile(environment), encoding="utf-8")
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    configuration = Path("/etc/ssh/workspace_config")
    configuration.write_text(sshd_configuration(user, environment), encoding="utf-8")
    subprocess.run(["/usr/sbin/sshd", "-t", "-f", str(configuration)], check=True)
    return configuration


def prepare_jupyter(account: pwd.struct_passwd) -> dict[str, str]:
    """Hand the token over in a file of the user's own: it is in no environment and on no command line."""
    RUNTIME.mkdir(mode=0o700, exist_ok=True)
    token = RUNTIME / "token"
    token.touch(mode=0o600)
    token.write_text((CONFIGURATION / "token").read_text(encoding="utf-8").strip(), encoding="utf-8")
    for path in (RUNTIME, token):
        os.chown(path, account.pw_uid, account.pw_gid)
    return {
        **passed_on(dict(os.environ)),
        "HOME": account.pw_dir,
        "USER": account.pw_name,
        "SHELL": "/bin/bash",
        "JUPYTER_TOKEN_FILE": str(token),
        "JUPYTER_RUNTIME_DIR": str(RUNTIME / "runtime"),
    }


def watch(services: dict[str, subprocess.Popen]) -> int:
    """Reap whatever ends, as the first process of a container must, until one of the services does; then end the others."""
    asked_to_end = False

    def end(*signals: object) -> None:
        nonlocal asked_to_end
        asked_to_end = asked_to_end or bool(signals)
        for process in services.values():
            process.terminate()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    names = {process.pid: name for name, process in services.items()}
    ended, status = os.wait()
    while ended not in names:
        ended, status = os.wait()
    del services[names[ended]]
    print(f"workspace: {names[ended]} ended with {os.waitstatus_to_exitcode(status)}; ending", flush=True)
    end()
    for process in services.values():
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        process.kill()
    return 0 if asked_to_end else 1


def main() -> int:
    """Start both services and stay until one of them ends."""
    os.umask(0o022)
    account = make_user(os.environ["WORKSPACE_USER"], int(os.environ["WORKSPACE_UID"]))
    sshd = ["/usr/sbin/sshd", "-D", "-e", "-f", str(prepare_ssh(account.pw_name))]
    jupyter = ["jupyter", "lab", "--ServerApp.ip=0.0.0.0", "--ServerApp.port=8888", "--ServerApp.port_retries=0", "--no-browser"]
    user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": [], "cwd": account.pw_dir, "env": prepare_jupyter(account)}
    return watch({"sshd": subprocess.Popen(sshd), "jupyter": subprocess.Popen(jupyter, start_new_session=True, **user)})


if __name__ == "__main__":
    sys.exit(main())
