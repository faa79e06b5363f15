"""All nodes of a run that are asked for the same get one version, and none of them is upgraded by surprise."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.driver.agreement import agree


def has(version: str, *, asked: str = "535") -> dict[str, Any]:
    return {"asked": asked, "version": version, "had": version}


def bare(*versions: str, asked: str = "535") -> dict[str, Any]:
    return {"asked": asked, "version": versions[0], "had": "", "available": list(versions)}


def nodes(plans: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {f"n{number:02}": plan for number, plan in enumerate(plans, 1)}


BROKEN = {"asked": "535", "error": "Found no driver packages."}


@pytest.mark.parametrize(
    ("plans", "version"),
    [
        ([has("535.2")], "535.2"),
        ([bare("535.3", "535.2"), bare("535.2")], "535.2"),
        ([bare("535.3"), bare("535.3", "535.2")], "535.3"),
        ([has("535.2"), bare("535.3", "535.2")], "535.2"),
        ([has("535.2"), bare("535.3")], "535.2"),
        ([has("535.2"), has("535.3"), has("535.2")], "535.2"),
        ([bare("535.3"), BROKEN], "535.3"),
        ([bare("535.10", "535.9"), bare("535.10", "535.9")], "535.10"),
    ],
)
def test_what_most_have_or_the_newest_that_all_can_have(plans: list[dict[str, Any]], version: str) -> None:
    assert agree(nodes(plans)) == {"535": {"version": version}}
    assert agree(nodes(plans[::-1])) == {"535": {"version": version}}


@pytest.mark.parametrize(
    ("plans", "found"),
    [
        ([has("535.2"), has("535.3")], "Found driver 535.3 on n02, and driver 535.2 on n01, which are as many."),
        (
            [has("535.2"), bare("535.3"), *[has("535.3")] * 6, *[has("535.2")] * 5],
            "Found driver 535.3 on n03, n04, n05, n06 and 2 more, and driver 535.2 on n01, n09, n10, n11 and 2 more",
        ),
        (
            [bare("535.3"), bare("535.2"), bare("535.3")],
            "Found no version that all 3 nodes can have (the newest is 535.3 for n01, n03, 535.2 for n02).",
        ),
    ],
)
def test_where_there_is_none_nothing_is_chosen(plans: list[dict[str, Any]], found: str) -> None:
    error = agree(nodes(plans))["535"]["error"]
    assert error.startswith(found)
    assert " Expected one version for all nodes that are asked for 535. Next step: set nvidia_driver_version to an exact version" in error


def test_who_is_asked_for_something_else_has_no_say() -> None:
    plans = [has("535.2"), has("550.1", asked="no version on Debian-13")]
    assert agree(nodes(plans)) == {"535": {"version": "535.2"}, "no version on Debian-13": {"version": "550.1"}}
    assert agree(nodes([BROKEN])) == {}
