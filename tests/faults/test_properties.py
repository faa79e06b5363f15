"""What holds for any observation, made by its types: nothing breaks, nothing is silent, and nothing lost looks like health."""

from __future__ import annotations

import dataclasses
import json
import typing
from functools import cache
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.finding import ACTIONS, ERROR, FAIL, PASS, SKIP
from ansible_collections.gpu.fleet.plugins.module_utils.judge.checks import CHECKS
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation
from ansible_collections.gpu.fleet.plugins.module_utils.plain import from_plain, to_plain
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from ansible_collections.gpu.fleet.plugins.module_utils.verdict import READY
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from unit.module_utils.healthy_node import address, judged, observation

HEALTHY = observation()
# Texts that checks compare, and those that nobody expects.
TEXTS = st.sampled_from(
    [
        "",
        "SUCCESS",
        "DRIVER_NOT_LOADED",
        "ERROR_77",
        "answers",
        "lost",
        "570.124.06",
        "535.1",
        "NVIDIA H100 80GB HBM3",
        "2330",
        "open",
        "fatal",
        "xid",
        "sxid",
        "cuda",
        "ok",
        "ACTIVE",
        "\u202e\x00 %s {}",
        "2026-01-01T00:00:00Z",
        *(address(index) for index in range(8)),
        *(f"GPU-{index}" for index in range(8)),
    ]
)
WHOLE = st.sampled_from([0, 1, 2, 3, 5, 8, 13, 16, 18, 79, 89, 154, 600, 81559, 1 << 40]) | st.integers(-3, 1 << 33)
REAL = st.sampled_from([0.0, 0.5, 1.0, 38.5, 700.0, 1e12]) | st.floats(-10, 1e6)
EXPECTATIONS = st.fixed_dictionaries(
    {},
    optional={
        "gpu_model": st.sampled_from(["H100 80GB HBM3", "NVIDIA X900"]),
        "gpu_count": st.integers(0, 9),
        "driver_version": st.just("570"),
        "temperature_max": st.just(60),
        "gate_fraction": st.just(0.5),
    },
)


@cache
def made(kind: Any) -> st.SearchStrategy[Any]:
    """Make anything of a type."""
    origin, arguments = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin is Reading:
        why = st.sampled_from(["not on this GPU", "Unknown Error"])
        return st.builds(Reading.of, made(arguments[0])) | st.builds(Reading.unsupported, why) | st.builds(Reading.unreadable, why)
    if origin is tuple:
        return st.lists(made(arguments[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(TEXTS | st.sampled_from(["0", "1", "17"]), made(arguments[1]), max_size=3)
    if dataclasses.is_dataclass(kind):
        return st.builds(kind, **{name: made(hint) for name, hint in typing.get_type_hints(kind).items()})
    return {str: TEXTS, int: WHOLE, float: REAL, bool: st.booleans()}[kind]


def places(thing: Any, kind: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    """List where a healthy observation has readings, and of what type."""
    if isinstance(thing, Reading):
        below = places(thing.content, typing.get_args(kind)[0], (*path, "content")) if thing.is_known else []
        return [(path, kind), *below]
    if dataclasses.is_dataclass(thing):
        hints = typing.get_type_hints(type(thing))
        return [found for name, hint in hints.items() for found in places(getattr(thing, name), hint, (*path, name))]
    if isinstance(thing, tuple):
        return [found for index, item in enumerate(thing) for found in places(item, typing.get_args(kind)[0], (*path, index))]
    return []


def put(thing: Any, path: tuple[Any, ...], reading: Any) -> Any:
    """Put a reading into its place; where an earlier change took the place away, nothing happens."""
    if not path:
        return reading
    head, rest = path[0], path[1:]
    if isinstance(thing, Reading) and not thing.is_known:
        return thing
    if isinstance(head, int):
        items = thing if isinstance(thing, tuple) else ()
        return tuple(put(item, rest, reading) if index == head else item for index, item in enumerate(items))
    return dataclasses.replace(thing, **{head: put(getattr(thing, head), rest, reading)}) if hasattr(thing, head) else thing


PLACES = places(HEALTHY, Observation)
ONE_CHANGE = st.sampled_from(PLACES).flatmap(lambda place: st.tuples(st.just(place[0]), made(place[1])))
quick = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def holds(seen: Observation, expectation: dict[str, Any]) -> None:
    findings, verdict = judged(seen, expectation)
    assert {finding.check for finding in findings} == {check.name for check in CHECKS}, "no check is silent"
    broken = [finding.message for finding in findings if "this check is broken" in finding.message]
    assert not broken
    for finding in findings:
        assert finding.message
        assert finding.status in (PASS, FAIL, SKIP, ERROR)
        assert finding.action in ACTIONS
        assert not finding.kills_job or finding.status == FAIL
        assert finding.status != FAIL or (finding.source and finding.action != "none")
    statuses = {finding.status for finding in findings}
    assert (verdict == READY) == (statuses <= {PASS, SKIP} and PASS in statuses)
    json.dumps([finding.to_plain() for finding in findings], allow_nan=False)


@quick
@given(st.lists(ONE_CHANGE, min_size=1, max_size=6), EXPECTATIONS)
def test_a_node_on_which_anything_is_different_is_judged_whole(changes: list[tuple[Any, Any]], expectation: dict[str, Any]) -> None:
    assume(not (expectation.get("gpu_count") == 0 and "gpu_model" in expectation))
    seen = HEALTHY
    for path, reading in changes:
        seen = put(seen, path, reading)
    holds(seen, expectation)


# Making an observation smaller takes minutes; that it is there is enough.
@settings(quick, max_examples=40, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(made(Observation))
def test_an_observation_that_nobody_has_thought_of_is_judged_whole(seen: Observation) -> None:
    holds(seen, {})


@quick
@given(st.lists(ONE_CHANGE, max_size=4))
def test_what_is_stored_and_read_again_is_judged_the_same(changes: list[tuple[Any, Any]]) -> None:
    seen = HEALTHY
    for path, reading in changes:
        seen = put(seen, path, reading)
    again = from_plain(Observation, json.loads(json.dumps(to_plain(seen))))
    assert judged(again) == judged(seen)
    assert judged(seen) == judged(seen)


# Each is a fault that a required check finds.
FAULTS: dict[tuple[Any, ...], Reading[Any]] = {
    ("state",): Reading.of("lost"),
    ("ecc_volatile_uncorrected",): Reading.of(1),
    ("recovery_action",): Reading.of(1),
    ("nvlinks",): Reading.of({str(link): False for link in range(18)}),
    ("pcie_width",): Reading.of(4),
    ("clock_event_reasons",): Reading.of(0x40),
    ("temperature_c",): Reading.of(88),
    ("name",): Reading.of("NVIDIA H200"),
    ("sram_threshold_exceeded",): Reading.of(True),  # noqa: FBT003 - a reading's value
    ("compute_mode",): Reading.of(2),
}


@quick
@given(
    st.integers(0, 7),
    st.sampled_from(sorted(FAULTS)),
    st.lists(st.sampled_from([path for path, _ in PLACES]), max_size=8),
)
def test_no_fault_is_hidden_by_what_cannot_be_read(index: int, fault: tuple[Any, ...], lost: list[tuple[Any, ...]]) -> None:
    seen = put(HEALTHY, ("nvml", "gpus", "content", index, *fault), FAULTS[fault])
    assert judged(seen, active=False)[1] != READY
    for path in lost:
        seen = put(seen, path, Reading.unreadable("lost by the test"))
    assert judged(seen, active=False)[1] != READY
