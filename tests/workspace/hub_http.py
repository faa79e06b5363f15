"""People who sign in to a hub without a browser, by a password or by an authority on the network, and may start servers.

Usage: python hub_http.py URL password|oauth [PROFILE] < WORDS      (URL: https://<node>/; WORDS: JSON, each user's name and password)

Each is refused with a wrong password, or as somebody who is not in the inventory, and let in as who they are. By an authority this program
is browser and authority in one: it says `yes` by handing over a code, which oauth_double.py takes for the name. With a PROFILE each starts
a server of it and waits until it is ready. Printed is, as JSON, who was let in as whom.
"""

from __future__ import annotations

import http.cookiejar
import json
import re
import ssl
import sys
import time
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, HTTPSHandler, OpenerDirector, Request, build_opener

PATIENCE_S = 90
STRANGER = "mallory"


class Stay(HTTPRedirectHandler):
    """Does not go where an answer leads: that is looked at."""

    def redirect_request(self, *_: Any) -> None:
        """Stay."""


class Person:
    """Somebody with a jar of cookies."""

    def __init__(self, url: str) -> None:
        """Begin as nobody."""
        self.url = url.rstrip("/")
        self.cookies = http.cookiejar.CookieJar()
        https = HTTPSHandler(context=ssl._create_unverified_context())
        self.opener: OpenerDirector = build_opener(https, HTTPCookieProcessor(self.cookies), Stay())

    def ask(self, path: str, form: dict[str, str] | None = None, body: Any = None) -> tuple[int, str, str]:
        """Ask for a path, or send it a form or JSON. Returns the status, where the answer leads, and what it says."""
        data = urlencode(form).encode() if form is not None else json.dumps(body).encode() if body is not None else None
        kind = {"Content-Type": "application/json"} if body is not None else {}
        token = next((cookie.value or "" for cookie in self.cookies if cookie.name == "_xsrf" and cookie.path == "/hub/"), "")
        try:
            answer = self.opener.open(Request(f"{self.url}{path}", data, {"X-XSRFToken": token, **kind}), timeout=30)
        except HTTPError as refusal:
            answer = refusal
        with answer:
            return answer.status, answer.headers.get("Location") or "", answer.read().decode()

    def by_password(self, name: str, password: str) -> int:
        """Fill in the login page. Returns the answer's status."""
        page = self.ask("/hub/login")[2]
        token = re.search(r'name="_xsrf"\s+value="([^"]+)"', page)
        assert token, f"found no form at {self.url}/hub/login: {page[:300]}"
        return self.ask("/hub/login", {"username": name, "password": password, "_xsrf": token[1]})[0]

    def by_oauth(self, name: str) -> int:
        """Go to the authority, and come back as somebody. Returns the answer's status."""
        status, where, page = self.ask("/hub/oauth_login")
        assert where, f"found status {status} at {self.url}/hub/oauth_login, expected to be led to the authority: {page[:300]}"
        asked = parse_qs(urlsplit(where).query)
        assert asked["redirect_uri"] == [f"{self.url}/hub/oauth_callback"], asked
        return self.ask(f"/hub/oauth_callback?{urlencode({'code': name, 'state': asked['state'][0]})}")[0]

    def who(self) -> dict[str, Any]:
        """Return what the hub knows of whoever this is; nothing of nobody."""
        status, _, said = self.ask("/hub/api/user")
        known: dict[str, Any] = json.loads(said) if status == 200 else {}
        return known

    def start(self, name: str, profile: str) -> None:
        """Start a server and wait until it is ready."""
        self.ask("/hub/home")  # for the token of who is signed in
        status, _, said = self.ask(f"/hub/api/users/{name}/server", body={"profile": profile})
        assert status in (201, 202), f"found status {status} from the start of {name}'s server: {said[:300]}"
        deadline = time.monotonic() + PATIENCE_S
        while not self.who().get("servers", {}).get("", {}).get("ready"):
            assert time.monotonic() < deadline, f"found {name}'s server not ready after {PATIENCE_S} s: {self.who()}"
            time.sleep(0.5)


def main(url: str, how: str, profile: str = "") -> None:
    """Be each of them."""
    let_in = {}
    for name, password in json.load(sys.stdin).items():
        stranger = Person(url)
        status = stranger.by_password(name, f"{password}!") if how == "password" else stranger.by_oauth(STRANGER)
        assert status in (401, 403), (
            f"found status {status} for {'a wrong password' if how == 'password' else STRANGER}, expected a refusal"
        )
        assert not stranger.who(), f"found {stranger.who()}, expected nobody"
        person = Person(url)
        status = person.by_password(name, password) if how == "password" else person.by_oauth(name)
        assert status == 302, f"found status {status} for {name}, expected to be let in"
        let_in[name] = person.who().get("name")
        if profile:
            person.start(name, profile)
    print(json.dumps(let_in))


if __name__ == "__main__":
    main(*sys.argv[1:])
