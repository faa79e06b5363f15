"""A person at a browser: what JupyterLab does for those who have the password, and for those who have not.

Usage: python browser.py URL PICTURE < PASSWORD      (URL: https://<node>/<workspace>/)

Opens JupyterLab in Chromium, is sent to the login page, is refused with a wrong password and let in with the right one, runs a notebook
that multiplies matrices with PyTorch and draws a heat map, and waits until the drawing is seen. A screenshot is kept in PICTURE. Printed is
what the notebook wrote.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
# The authority of the proxy is not the system's; that it is the right one is shown by another test.
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]
PATIENCE_MS = 120_000
CELL = """\
import matplotlib.pyplot as plt
import torch
left, right = torch.rand(64, 64), torch.rand(64, 64)
product = left @ right
print("torch", torch.__version__, "product", tuple(product.shape), bool((product > 0).all()))
plt.imshow(product, cmap="viridis")
plt.colorbar()
plt.show()
"""


def notebook(source: str) -> str:
    """Return a notebook with the one cell."""
    cell = {"cell_type": "code", "id": "heat", "execution_count": None, "metadata": {}, "outputs": [], "source": source}
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return json.dumps({"type": "notebook", "content": {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}})


def sign_in(page: Page, url: str, password: str) -> None:
    """Meet the login page, fail with a wrong password, and get in with the right one."""
    page.goto(f"{url}lab")
    assert "/login" in page.url, f"found {page.url}, expected the login page"
    for tried in ("not the password", password):
        page.fill("input[name=password]", tried)
        page.press("input[name=password]", "Enter")
        page.wait_for_load_state()
        if tried != password:
            assert "/login" in page.url, "a wrong password was let in"
    page.wait_for_selector("#jp-main-dock-panel", timeout=PATIENCE_MS)


def work(page: Page, url: str, source: str = CELL) -> str:
    """Run the notebook, and return what it printed once the drawing is on the screen."""
    # Another name at each run: a page that was left open would save over it.
    name = f"heat-{time.time_ns()}.ipynb"
    made = page.evaluate(
        """async ([url, name, body]) => {
            const token = document.cookie.match(/_xsrf=([^;]*)/)[1];
            const made = await fetch(url + "api/contents/" + name, {method: "PUT", headers: {"X-XSRFToken": token}, body});
            return made.status;
        }""",
        [url, name, notebook(source)],
    )
    assert made in (200, 201), f"found status {made}, expected the notebook to be written"
    # "reset": without the notebooks that were open before.
    page.goto(f"{url}lab/tree/{name}?reset")
    cell = page.locator(".jp-CodeCell .jp-InputArea-editor").first
    cell.wait_for(timeout=PATIENCE_MS)
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=PATIENCE_MS)
    # JupyterLab drops what is run in the moment in which it connects to the kernel; a person would press again.
    for _ in range(5):
        cell.click()
        page.keyboard.press("Shift+Enter")
        with contextlib.suppress(AssertionError):
            expect(page.locator(".jp-InputPrompt").first).not_to_have_text("[ ]:", timeout=5_000)
            break
    drawing = page.locator(".jp-OutputArea-output img").first
    drawing.wait_for(timeout=PATIENCE_MS)
    width = drawing.evaluate("image => image.naturalWidth")
    assert width > 100, f"found a drawing of {width} pixels, expected a heat map"
    return page.locator(".jp-OutputArea-output pre").first.inner_text()


def main(url: str, picture: str) -> None:
    """Be that person."""
    password = sys.stdin.read().strip()
    started = time.monotonic()
    Path(picture).parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        page = browser.new_page(ignore_https_errors=True, viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        try:
            sign_in(page, url, password)
            said = work(page, url)
        finally:
            # Of a failure too: it is what a person would have seen.
            page.screenshot(path=picture)
            browser.close()
    print(said)
    print(f"in {time.monotonic() - started:.0f} s; the picture: {picture}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
