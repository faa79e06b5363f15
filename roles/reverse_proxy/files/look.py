"""Print what there is of the reverse proxy on this node, as one line of JSON.

Usage: python3 - PORT[,PORT] CERTIFICATE PATH... < look.py      (PORT: one that nginx is to hear; CERTIFICATE: that of an ACME authority)

Printed: `active` (nginx runs), `installed` (nginx is there), `ipv6` (the node has it), `files` (SHA-256 of each path that is there),
`names` (those that CERTIFICATE holds for, none where it is not there), `others` (who hears a PORT and is not nginx). Nothing is changed.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

_LISTEN = "0A"


def sockets(ports: set[int], tables: list[str]) -> dict[str, int]:
    """Read /proc/net/tcp and tcp6, and return the inode of each socket that hears one of the ports, on whatever address."""
    found = {}
    for table in tables:
        for line in table.splitlines()[1:]:
            columns = line.split()
            port = int(columns[1].rpartition(":")[2], 16)
            if columns[3] == _LISTEN and port in ports:
                found[columns[9]] = port
    return found


def text(path: Path) -> str:
    """Return what a file says, or nothing."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def others(ports: set[int], processes: Path = Path("/proc")) -> dict[int, str]:
    """Return by which program that is not nginx each of the ports is heard."""
    heard = sockets(ports, [text(processes / "net" / name) for name in ("tcp", "tcp6")])
    by: dict[str, str] = {}
    for link in processes.glob("[0-9]*/fd/*") if heard else ():
        try:
            inode = str(link.readlink()).removeprefix("socket:[").removesuffix("]")
        except OSError:
            continue
        if inode in heard:
            by[inode] = text(link.parents[1] / "comm").strip()
    programs = {port: by.get(inode, "a program that the node does not show") for inode, port in heard.items()}
    return {port: program for port, program in programs.items() if program != "nginx"}


def names(certificate: str) -> list[str]:
    """Return the names that a certificate holds for."""
    command = ["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", certificate]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return []
    return re.findall(r"DNS:([^,\s]+)", told.stdout)


def look(ports: str, certificate: str, *paths: str) -> dict:
    """Look at everything."""
    active = subprocess.run(["systemctl", "--quiet", "is-active", "nginx.service"], check=False)  # noqa: S607
    return {
        "active": active.returncode == 0,
        "installed": shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin") is not None,
        "ipv6": Path("/proc/net/if_inet6").exists(),
        "files": {path: hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in (certificate, *paths) if Path(path).is_file()},
        "names": names(certificate),
        "others": others({int(port) for port in ports.split(",")}),
    }


if __name__ == "__main__":
    print(json.dumps(look(*sys.argv[1:])))  # noqa: T201
