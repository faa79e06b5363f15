"""Print what there is of the reverse proxy on this node, as one line of JSON.

Usage: python3 - CERTIFICATE PATH... < look.py      (CERTIFICATE: that of an ACME authority)

Printed: `active` (nginx runs), `installed` (nginx is there), `ipv6` (the node has it), `files` (SHA-256 of each path that is there),
`names` (those that CERTIFICATE holds for, none where it is not there). Nothing is changed.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path


def names(certificate: str) -> list[str]:
    """Return the names that a certificate holds for."""
    command = ["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", certificate]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return []
    return re.findall(r"DNS:([^,\s]+)", told.stdout)


def look(certificate: str, *paths: str) -> dict:
    """Look at everything."""
    active = subprocess.run(["systemctl", "--quiet", "is-active", "nginx.service"], check=False)  # noqa: S607
    return {
        "active": active.returncode == 0,
        "installed": shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin") is not None,
        "ipv6": Path("/proc/net/if_inet6").exists(),
        "files": {path: hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in (certificate, *paths) if Path(path).is_file()},
        "names": names(certificate),
    }


if __name__ == "__main__":
    print(json.dumps(look(*sys.argv[1:])))  # noqa: T201
