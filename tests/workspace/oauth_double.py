"""A double of an OAuth authority: whoever brings a code is the user of that name.

Usage: python oauth_double.py PORT < SECRET      (it serves on the loopback; SECRET: what its client has to know)

`/token` gives a token for a code to a client that knows the secret, and `/user` says whose token it is. The page on which a person would
say yes is hub_http.py's business.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs


class Authority(BaseHTTPRequestHandler):
    """Answers the hub."""

    secret = ""

    def do_POST(self) -> None:
        """Give a token for a code."""
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        known = form.get("client_secret") == [self.secret] and form.get("grant_type") == ["authorization_code"]
        self.say(200, {"access_token": form["code"][0], "token_type": "Bearer"}) if known else self.say(401, {"error": "invalid_client"})

    def do_GET(self) -> None:
        """Say whose the token is."""
        self.say(200, {"username": self.headers.get("Authorization", "").removeprefix("Bearer ")})

    def say(self, status: int, what: Any) -> None:
        """Answer with JSON."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(what).encode())


if __name__ == "__main__":
    Authority.secret = sys.stdin.read().strip()
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Authority).serve_forever()
