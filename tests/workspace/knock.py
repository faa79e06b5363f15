"""Knock at every route without saying who it is, and fail where one opens.

Usage: python knock.py URL < PATTERNS      (URL: https://<node>; PATTERNS: regular expressions of paths, one a line)

Each pattern is made into paths that match it, and each path is tried by every method. What a login page itself needs is public, and nothing
else. Printed is how many were tried.
"""

from __future__ import annotations

import http.client
import re
import ssl
import sys
import warnings
from string import ascii_letters, digits
from urllib.parse import quote, urlsplit

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PUBLIC = re.compile(
    r"/[^/]+/(static/|custom/|login$|logout$|api$|robots.txt$|favicon.ico$|api/security/csp-report$|lab/api/themes/|lab/static/)"
    r"|/hub/(static/|login$|logo$|health$|robots.txt$|error/|api/?$|api/health$)"
)
# Nothing is there, or nothing by that method, or nothing for a request that does not say by whom it is (OAuth's).
CLOSED = (400, 401, 403, 404, 405)
# JupyterHub 5.4's handler takes no argument by this method, and fails before it does anything.
BROKEN = ("POST", re.compile(r"/hub/api/authorizations/token/."), 500)
REDIRECTIONS = (301, 302, 307)
LOGIN = re.compile(r"/login$")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
EXAMPLES = 3


def paths_for(pattern: str) -> set[str]:
    """Return some paths that match."""
    found: set[str] = set()

    @settings(max_examples=EXAMPLES, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.from_regex(pattern.rstrip("$"), fullmatch=True, alphabet=ascii_letters + digits + "/-._@"))
    def collect(path: str) -> None:
        found.add(path)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collect()
    return {path for path in found if path.startswith("/")}


def answer(host: str, method: str, path: str) -> tuple[int, str]:
    """Ask for a path, and return the status and where it leads."""
    connection = http.client.HTTPSConnection(host, timeout=20, context=ssl._create_unverified_context())
    try:
        connection.request(method, quote(path, safe="/@"))
        response = connection.getresponse()
        return response.status, response.getheader("Location") or ""
    finally:
        connection.close()


def what_opens(host: str, path: str) -> str:
    """Return what somebody gets who should get nothing, or nothing."""
    for method in METHODS:
        status, where = answer(host, method, path)
        for _ in range(3):
            if status not in REDIRECTIONS or LOGIN.search(urlsplit(where).path):
                break
            status, where = answer(host, "GET", urlsplit(where).path)
        if status not in (*CLOSED, *REDIRECTIONS) and not (method == BROKEN[0] and BROKEN[1].match(path) and status == BROKEN[2]):
            return f"{method} {path}: found status {status}, expected {', '.join(map(str, CLOSED))} or the login page"
    return ""


def main(url: str) -> int:
    """Knock everywhere."""
    paths = sorted({path for pattern in sys.stdin.read().split() for path in paths_for(pattern)})
    tried = [path for path in paths if not PUBLIC.match(path)]
    opened = [opens for path in tried for opens in [what_opens(urlsplit(url).netloc, path)] if opens]
    print(*opened, f"{len(tried)} paths, {len(opened)} open", sep="\n")
    return bool(opened or not tried)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
