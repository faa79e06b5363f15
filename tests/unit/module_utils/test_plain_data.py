"""Observations survive the way through JSON; foreign data is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Fabric, Observation, XidEvent, pci_id
from ansible_collections.gpu.fleet.plugins.module_utils.plain import from_plain, to_plain
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from unit.module_utils.healthy_node import known, log, observation, xid
from unit.module_utils.healthy_probe import cpu_probe, probe


@pytest.mark.parametrize(
    "seen", [observation(), observation(probe=known(cpu_probe()), kernel_log=known(log(xid(79))))], ids=["cuda", "cpu"]
)
def test_an_observation_is_replayed_as_it_was(seen: Observation) -> None:
    assert from_plain(Observation, json.loads(json.dumps(to_plain(seen)))) == seen


def test_a_reading_is_exactly_one_of_three() -> None:
    assert to_plain(Reading.of(8)) == {"value": 8}
    assert to_plain(Reading.unsupported("no NVLink")) == {"unsupported": "no NVLink"}
    assert to_plain(Reading.unreadable("timeout")) == {"unreadable": "timeout"}
    with pytest.raises(ValueError, match="unreadable: timeout"):
        Reading.unreadable("timeout").value  # noqa: B018 - asking is the test


def test_a_reading_that_a_record_does_not_hold_is_unreadable() -> None:
    stored = to_plain(observation())
    del stored["nvml"]["gpus"]["value"][3]["temperature_c"]
    assert from_plain(Observation, stored).nvml.gpus.value[3].temperature_c.is_unreadable


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (Reading[int], {"value": 1, "unreadable": "x"}),
        (Reading[int], {"other": 1}),
        (Reading[int], 8),
        (Fabric, {"state": 3, "status": 0}),
        (Fabric, [3, 0, 0]),
        (XidEvent, None),
    ],
)
def test_foreign_data_is_refused(kind: Any, data: Any) -> None:
    with pytest.raises(ValueError, match=r"found|expected|one of"):
        from_plain(kind, data)


@pytest.mark.parametrize(
    ("kind", "value"), [(int, "8"), (int, True), (int, 8.5), (bool, 1), (str, 8), (tuple[int, ...], {"0": 1}), (Fabric, {"state": 3})]
)
def test_a_value_of_another_type_is_unreadable(kind: Any, value: Any) -> None:
    assert from_plain(Reading[kind], {"value": value}).is_unreadable


@pytest.mark.parametrize("text", ["0000:1b:00.0", "00000000:1B:00.0", "PCI:0000:1b:00", "1b:00.0"])
def test_a_pci_address_has_one_form(text: str) -> None:
    assert pci_id(text) == "00000000:1b:00.0"


def test_the_probe_writes_what_the_observation_reads() -> None:
    assert from_plain(type(probe()), to_plain(probe())) == probe()
