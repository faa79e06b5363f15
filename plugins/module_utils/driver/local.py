"""What the node itself says: a small file's text, what a command prints."""

from __future__ import annotations

import errno
import os
import re
import subprocess
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal

# Where copies of a package manager's lists belong: /tmp may be memory.
SCRATCH = "/var/tmp"  # noqa: S108 - a folder of its own is made in it


def read(path: Path) -> str:
    """Return a small file's text, or nothing where there is none."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def modinfo(module: Path, what: str) -> str:
    """Return what a kernel module's file says of itself."""
    return output("modinfo", "-F", what, str(module)).strip()


def output(*command: str, also_good: str = "", timeout: float = 600, **environment: str) -> str:
    """Run a command that only reads and return what it prints. It may fail where it prints what is `also_good`."""
    done = run(*command, timeout=timeout, **environment)
    said = done.stdout + done.stderr
    if done.returncode and not (also_good and also_good in said):
        complaint = " ".join(re.split(r"have unmet dependencies:|(?m:^Error: )", said)[-1].split())
        raise Refusal(f"`{' '.join(command[:4])}` failing with: {complaint[-1500:]}", "it to work", "repair what it names and run again")
    return done.stdout


def run(*command: str, timeout: float = 600, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command that only reads, whatever comes of it; refuse one that does not come to an end."""
    try:
        return subprocess.run(  # noqa: S603 (all commands are the callers' own)
            command, capture_output=True, text=True, check=False, timeout=timeout, env={**os.environ, "LC_ALL": "C", **environment}
        )
    except subprocess.TimeoutExpired as error:
        raise Refusal(
            f"that `{' '.join(command[:4])}` did not end within {timeout:.0f} s",
            "an answer",
            "run it on the node and see what it waits for (a slow mirror, a lock, a disk), and run again",
        ) from error


def unusable(error: OSError) -> Refusal:
    """Say what a failure to read or write here means."""
    said = str(error)[:500]
    if os.strerror(errno.ENOSPC) in str(error):  # shutil collects errors, and has no number then
        return Refusal(
            f"no space left for a copy of the package manager's state ({said})",
            f"some 500 MB free in {SCRATCH}, in which the installation is tried beforehand",
            f"free what `df -h {SCRATCH}` shows to be full, and run again",
        )
    return Refusal(f"that the node cannot be looked at ({said})", "to read and write there as root", "repair what it names and run again")
