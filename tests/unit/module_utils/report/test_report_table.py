"""The terminal's table: fits its width, is in order, and cannot be steered by what it shows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.report.node import Node
from ansible_collections.gpu.fleet.plugins.module_utils.report.table import clean, measure, shorten, table
from unit.module_utils.report.builders import fleet, lost, node, readiness


def text(*nodes: Node, width: int = 100, rows: int = 40, notice: str = "") -> str:
    return "\n".join(line for line, _ in table(fleet(*nodes, notice=notice), width=width, rows=rows))


BAD = node("gpu-02", readiness=readiness("not_ready", lost(), lost(check="nvlink")))


def test_it_says_what_to_do_first() -> None:
    lines = text(node(), BAD, notice="Simulated GPUs", width=160).splitlines()
    assert lines[1] == "Cluster west  2026-11-23 04:10 UTC"
    assert lines[2] == "! Simulated GPUs"
    assert lines[4].split() == ["NODE", "VERDICT", "GPUS", "DRIVER", "FIRST", "FINDING", "AND", "NEXT", "STEP"]
    assert lines[5].startswith(
        "gpu-02  not ready  8 \N{MULTIPLICATION SIGN} H100 80GB HBM3  535.261.03  gpu_count: found 7 GPUs, expected 8"
    )
    assert "[reboot] (+1 more)" in text(BAD, width=160)
    assert lines[6] == "gpu-01  ready      8 \N{MULTIPLICATION SIGN} H100 80GB HBM3  535.261.03  1 check passed"
    assert lines[-1] == "2 nodes: 1 ready, 1 not ready"


def test_lines_carry_the_style_of_their_verdict() -> None:
    styles = {line.split()[0]: style for line, style in table(fleet(node(), BAD, notice="N"), width=160, rows=9) if line}
    assert (styles["gpu-01"], styles["gpu-02"], styles["!"], styles["NODE"], styles["2"]) == (
        "ready",
        "not_ready",
        "notice",
        "",
        "not_ready",
    )


@pytest.mark.parametrize("width", [60, 79, 100, 120, 250])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    long = node("a-host-name-that-goes-on-and-on.example.org", readiness=readiness("not_ready", lost(message="word " * 100)))
    lines = text(node(), BAD, long, width=width, notice="notice " * 40).splitlines()
    assert max(measure(line) for line in lines) <= max(width, 32 + 18 + 36 + 4)


def test_a_narrow_terminal_leaves_out_columns_before_findings() -> None:
    assert "DRIVER" not in text(BAD, width=79)
    assert "found 7 GPUs" in text(BAD, width=79)


def test_an_expected_verdict_and_an_age_are_shown() -> None:
    shown = text(replace(BAD, expected_verdict="not_ready"), replace(node(), in_run=False), width=160)
    assert "expected not ready" in shown
    assert "1 check passed; not in this run, measured 2026-11-23 04:10 UTC" in shown
    assert shown.endswith("(1 not in this run)")


def test_a_large_fleet_is_cut_and_says_so() -> None:
    nodes = [node(f"gpu-{number}", unreachable="no route") for number in range(6)] + [node(f"ok-{number}") for number in range(4)]
    shown = text(*nodes, rows=4)
    assert "and 6 more nodes, 2 of them not ready" in shown
    assert "6 nodes: reach error [investigate]: gpu-0, gpu-1, gpu-2, gpu-3 and 2 more" in shown
    assert "10 nodes: 4 ready, 6 unknown" in shown
    assert "gpu-4 " not in shown
    assert "all of them ready" in text(*[node(f"ok-{number}") for number in range(4)], rows=2)


def test_no_rows_and_no_nodes_are_no_trouble() -> None:
    assert "1 node: 1 ready" in text(node(), rows=0)
    assert text().endswith("0 nodes: nothing to report")


def test_names_and_messages_cannot_steer_the_terminal() -> None:
    shown = text(node("evil\x1b[2J\r\nfake  ready", readiness=readiness("not_ready", lost(message="a\x1b]0;title\x07\u202eb\nc"))))
    assert not {"\x1b", "\r", "\x07", "\u202e"} & set(shown)
    assert clean("a\n b\x00") == "a b\ufffd"


def test_wide_letters_are_measured() -> None:
    assert measure("機 é") == 4
    assert shorten("機機機", 5) == "機機…"
    assert "機" in text(node("機" * 30))
