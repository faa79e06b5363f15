"""The page: self-contained, escaped, readable without JavaScript where the fleet is small."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.report.html import PLAIN_NODES, page
from ansible_collections.gpu.fleet.plugins.module_utils.report.node import never_measured
from unit.module_utils.report.builders import finding, fleet, lost, node, readiness, speed

HOSTILE = """<script>alert(1)</script>"'`><img src=x onerror=alert(2)>{{ 12345*3 }}</title></style>"""
VOID = {"meta", "link", "input", "br"}


class Page(HTMLParser):
    """Every tag with its attributes, and the text; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def test_it_shows_counts_nodes_findings_and_plots() -> None:
    bad = node("gpu-02", readiness=readiness("not_ready", lost(), speed(600, 3)))
    read = Page(page(fleet(node(), bad, never_measured("gpu-03"), notice="Simulated GPUs: nothing here is real")))
    text = " ".join(" ".join(read.texts).split())
    for words in (
        "Simulated GPUs: nothing here is real",
        "2026-11-23 04:10 UTC",
        "found 7 GPUs, expected 8",
        "≥ 635 TFLOP/s",
        "GPU 3",
        "80 % of 794",
        "never measured",
    ):
        assert words in text
    assert read.count("details") == 3
    assert read.count("figure") == 1


def test_it_fetches_nothing() -> None:
    read = Page(page(fleet(node(readiness=readiness("ready", speed(700))))))
    for tag, attributes in read.tags:
        assert tag not in ("iframe", "object", "embed", "img", "base")
        for name in ("src", "href", "action", "data", "srcset"):
            address = attributes.get(name)
            assert address is None or address == "data:," or address.startswith("nodes/"), (tag, address)
    assert not re.search(r"url\(|@import|https?://", page(fleet(node())))


def test_only_its_own_script_may_run() -> None:
    text = page(fleet(node()))
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(attributes["content"] for tag, attributes in Page(text).tags if tag == "meta" and "http-equiv" in attributes)
    assert policy
    assert f"script-src 'sha256-{allowed}'" in policy
    assert "default-src 'none'" in policy


@pytest.mark.parametrize("amount", [1, PLAIN_NODES + 5])
def test_nothing_hostile_becomes_markup(amount: int) -> None:
    evil = finding(
        "fail",
        check=HOSTILE,
        subject={"kind": HOSTILE, "id": HOSTILE},
        observed=[HOSTILE],
        expected={HOSTILE: HOSTILE},
        source=HOSTILE,
        action=HOSTILE,
        message=HOSTILE,
    )
    fast = speed(600, 0, check=HOSTILE, source=HOSTILE, observed={"value": 1, "unit": HOSTILE})
    gpus = {"nvml": {"driver_version": {"value": HOSTILE}, "gpus": {"value": [{"name": {"value": HOSTILE}}]}}}
    nodes = [
        replace(node(f"{number}{HOSTILE}", readiness=readiness("degraded", evil, fast, observation=gpus)), expected_verdict=HOSTILE)
        for number in range(amount)
    ]
    found = fleet(*nodes, notice=HOSTILE, warnings=(HOSTILE,))
    text = page(replace(found, about=replace(found.about, title=HOSTILE, made_by=HOSTILE)))
    packed = unpacked(text)
    assert len(packed) == max(0, amount - PLAIN_NODES)
    for piece in (text, *(html for _, _, html in packed)):
        read = Page(piece)
        assert read.count("img") == 0
        assert not any(name.startswith("on") for _, attributes in read.tags for name in attributes)
        assert "37035" not in "".join(read.texts)
    assert Page(text).count("script") == (1 if amount == 1 else 2)


def unpacked(text: str) -> list[tuple[str, str, str]]:
    found = re.search(r'id="packed">([^<]*)<', text)
    return json.loads(gzip.decompress(base64.b64decode(found[1]))) if found else []


def test_a_large_fleet_is_plain_in_front_and_packed_behind() -> None:
    nodes = [node(f"gpu-{number:03d}") for number in range(PLAIN_NODES + 20)] + [node("off", unreachable="no route")]
    text = page(fleet(*nodes))
    assert Page(text).count("details") == PLAIN_NODES
    listed = text[text.index('<div id="nodes">') :]
    assert listed.index("no route") < listed.index("gpu-000")
    rest = unpacked(text)
    assert len(rest) == 21
    assert rest[0][0] == "ready"
    assert rest[0][1].startswith("gpu-")
    assert rest[0][2].startswith("<details")
    assert "<noscript>" in text


def test_a_small_fleet_needs_no_script() -> None:
    text = page(fleet(node(), node("gpu-02")))
    assert not unpacked(text)
    assert "<noscript>" not in text


def test_what_passed_is_summed_up_and_what_is_wrong_is_not() -> None:
    values = [speed(700 + index, index) for index in range(6)] + [speed(600, 6), speed(601, 7)]
    text = page(fleet(node(readiness=readiness("degraded", *values))))
    table = text[text.index('<div class="detail">') : text.index("</details>")]
    assert table.count('<tr class="pass">') == 1
    assert table.count('<tr class="fail">') == 2
    assert "700 … 705 TFLOP/s" in table
    assert "6 GPUs" in table


def test_an_expected_verdict_and_an_age_are_shown() -> None:
    text = page(fleet(replace(node(), expected_verdict="not_ready"), replace(node("b"), in_run=False)))
    assert "expected not ready" in text
    assert "not in this run, measured 2026-11-23 04:10 UTC" in text


def test_a_verdict_is_told_by_word_and_not_by_colour_alone() -> None:
    read = Page(page(fleet(*[replace(node(verdict), verdict=verdict) for verdict in ("ready", "degraded", "not_ready", "unknown")])))
    assert {"ready", "degraded", "not ready", "unknown"} <= {text.strip() for text in read.texts}


def test_an_empty_fleet_is_a_page_too() -> None:
    Page(page(fleet()))
