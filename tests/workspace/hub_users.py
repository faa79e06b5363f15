"""Two people at browsers, and one hub: each signs in, chooses GPUs, works, and finds nothing of the other's.

Usage: python hub_users.py URL PICTURES < PASSWORDS      (URL: https://<node>/; PASSWORDS: JSON, the name of each user and its password)

Each is refused with a wrong password and let in with the right one, chooses two GPUs, runs a notebook that computes with PyTorch and draws,
and tries the other's address. Both servers run at once, and still do at the end. Printed is, as JSON, what each one's notebook saw of user,
files and GPUs, what was offered, and how the other's address answered. A screenshot of each page is kept in the directory PICTURES.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from browser import CELL, CHROMIUM, OPTIONS, PATIENCE_MS, work
from playwright.sync_api import BrowserContext, Page, sync_playwright

PROFILE = "Two GPUs"
SEE = """
import getpass, json, os, subprocess
from pathlib import Path
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps({
    "user": getpass.getuser(),
    "uid": os.getuid(),
    "files": sorted(str(path.relative_to(Path.home())) for path in Path.home().glob("*.ipynb")),
    "homes": os.listdir("/home"),
    "gpus": [line.split("UUID: ")[1].rstrip(")") for line in subprocess.check_output(["nvidia-smi", "-L"], text=True).splitlines()],
    "capabilities": int(status["CapBnd"], 16),
    "no_new_privileges": int(status["NoNewPrivs"]),
    "root_is_read_only": not os.access("/usr", os.W_OK) and bool(os.statvfs("/").f_flag & os.ST_RDONLY),
    "docker_socket": any(Path(path).exists() for path in ("/run/docker.sock", "/var/run/docker.sock")),
}))
"""


def sign_in(page: Page, url: str, name: str, password: str) -> None:
    """Be led to the login page, fail with a wrong password, and get in with the right one."""
    page.goto(url)
    assert "/hub/login" in page.url, f"found {page.url}, expected the login page"
    for tried in ("not the password", password):
        page.fill("input[name=username]", name)
        page.fill("input[name=password]", tried)
        page.press("input[name=password]", "Enter")
        page.wait_for_load_state()
        if tried != password:
            assert "/hub/login" in page.url, "a wrong password was let in"


def start(page: Page, url: str, name: str) -> list[str]:
    """Stop what runs, choose a profile and wait for JupyterLab. Returns what was offered."""
    page.goto(f"{url}hub/home")
    if page.locator("#stop").is_visible():
        page.click("#stop")
        page.locator("#stop").wait_for(state="hidden")
    page.goto(f"{url}hub/spawn")
    page.wait_for_selector("input[name=profile]")
    offered = [str(radio.get_attribute("value")) for radio in page.locator("input[name=profile]").all()]
    page.check(f"input[name=profile][value='{PROFILE}']")
    page.locator("#spawn_form [type=submit]").click()
    page.wait_for_url(f"{url}user/{name}/lab**", timeout=PATIENCE_MS)
    page.wait_for_selector("#jp-main-dock-panel", timeout=PATIENCE_MS)
    return offered


def ask(context: BrowserContext, url: str, path: str) -> list[object]:
    """Ask for a path with a user's cookies, and return the status and where that led."""
    response = context.request.get(f"{url}{path}")
    return [response.status, response.url.removeprefix(url).split("?")[0]]


def main(url: str, pictures: str) -> None:
    """Be both of them."""
    passwords = json.load(sys.stdin)
    Path(pictures).mkdir(parents=True, exist_ok=True)
    seen: dict[str, dict[str, object]] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        contexts = {name: browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 900}) for name in passwords}
        for name, context in contexts.items():
            page = context.new_page()
            page.set_default_timeout(PATIENCE_MS)
            try:
                sign_in(page, url, name, passwords[name])
                offered = start(page, url, name)
                said = work(page, f"{url}user/{name}/", SEE + CELL)
            finally:
                # Of a failure too: it is what a person would have seen.
                page.screenshot(path=f"{pictures}/hub-{name}.png")
            found, torch = said.strip().splitlines()
            seen[name] = {"offered": offered, "torch": torch, **json.loads(found)}
        for name, context in contexts.items():
            other = next(each for each in contexts if each != name)
            seen[name]["others_server"] = ask(context, url, f"user/{other}/api/contents")
            seen[name]["own_server"] = ask(context, url, f"user/{name}/api/contents")
        browser.close()
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
