"""The tables are honest: no gate above what physics allows or so low that nothing fails it, and nothing without a source."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation, parse
from ansible_collections.gpu.fleet.plugins.module_utils.finding import ACTIONS
from ansible_collections.gpu.fleet.plugins.module_utils.judge.host_copies import link_peak
from ansible_collections.gpu.fleet.plugins.module_utils.nvlink_rule import Bits, NvlinkRule
from ansible_collections.gpu.fleet.plugins.module_utils.tables import TABLES as TABLE_FILES
from ansible_collections.gpu.fleet.plugins.module_utils.tables import GpuReference, XidMeaning, load
from ansible_collections.gpu.fleet.plugins.module_utils.xid import NVLINK5, NVLINK5_INFO

FILES = Path(__file__).parents[2] / "roles" / "gpu_readiness" / "files"
TABLES = load(*((FILES / name).read_text() for name in TABLE_FILES))
LOWEST = 0.3
NVLS_SM = 9.0  # NVSwitch systems of Hopper and later may exceed the wire in an all-reduce, since the switch adds up
APPLICATION_FAULTS = {13, 31, 43, 45, 94}


@pytest.mark.parametrize("row", TABLES.gpus, ids=lambda row: row.gpu)
def test_gates_can_be_passed_and_can_be_failed(row: GpuReference) -> None:
    if row.matmul_measured_tflops is not None:
        gate = row.matmul_measured_tflops * Expectation().gate_fraction
        assert row.matmul_peak_tflops * LOWEST < gate < row.matmul_peak_tflops
        assert row.matmul_measured_tflops < row.matmul_peak_tflops
    if row.allreduce_busbw_gb_s is not None:
        assert row.nvlink_links > 0
        gate = row.allreduce_busbw_gb_s * Expectation().gate_fraction
        assert gate > row.nvlink_peak_gb_s_per_direction * LOWEST
        if float(row.sm) < NVLS_SM:
            assert row.allreduce_busbw_gb_s < row.nvlink_peak_gb_s_per_direction


@pytest.mark.parametrize("row", TABLES.gpus, ids=lambda row: row.gpu)
@pytest.mark.parametrize("fraction", [Expectation().peak_fraction, 0.95])
def test_gates_of_physical_peaks_lie_below_them(row: GpuReference, fraction: float) -> None:
    assert parse({"peak_fraction": fraction}).peak_fraction == fraction
    link = link_peak(row.pcie_gen, row.pcie_width)
    assert link is not None, "no gate for the copies between host and GPU"
    for peak in (row.memory_peak_gb_s, link, row.nvlink_peak_gb_s_per_direction):
        assert peak == 0 or peak * LOWEST < peak * fraction < peak
    if row.nvlink_links:
        assert row.nvlink_peak_gb_s_per_direction < row.memory_peak_gb_s  # what a link carries, memory has to give


def test_no_fraction_of_a_peak_can_be_asked_for_that_nothing_reaches() -> None:
    with pytest.raises(ValueError, match=r"peak_fraction: found 1, expected a number from 0\.3 to 0\.95"):
        parse({"peak_fraction": 1})


@pytest.mark.parametrize(("generation", "lanes", "peak"), [(3, 16, 15.75), (4, 16, 31.5), (5, 16, 63.0), (5, 8, 31.5), (6, 16, 121.0)])
def test_a_pcie_link_carries_what_its_standard_says(generation: int, lanes: int, peak: float) -> None:
    assert link_peak(generation, lanes) == pytest.approx(peak, rel=0.001)


@pytest.mark.parametrize("row", TABLES.gpus, ids=lambda row: row.gpu)
def test_a_row_is_complete_and_has_a_source(row: GpuReference) -> None:
    assert row.source
    assert (row.allreduce_busbw_gb_s is None) == (row.allreduce_gpus is None)
    assert row.allreduce_busbw_gb_s is None or row.allreduce_conditions
    assert (row.nvlink_links == 0) == (row.nvlink_peak_gb_s_per_direction == 0)
    assert row.pcie_width in (8, 16)
    assert 3 <= row.pcie_gen <= 6
    assert (row.matmul_dtype == "fp16") == (float(row.sm) < 8)


def test_each_gpu_is_identified_once() -> None:
    identities = [row.pci_device_id for row in TABLES.gpus]
    assert len(identities) == len(set(identities))


@pytest.mark.parametrize("row", TABLES.xids.values(), ids=lambda row: str(row.xid))
def test_an_error_code_has_a_meaning_and_a_source(row: XidMeaning) -> None:
    assert row.source
    assert (row.blames == "nothing") == (row.action == "none")
    assert not row.kills_job or row.action in ("reset_gpu", "reboot", "replace")
    if row.xid in APPLICATION_FAULTS:
        assert (row.blames, row.kills_job) == ("application", False)


def test_no_error_code_is_left_out() -> None:
    assert sorted(TABLES.xids) == list(range(1, 173))


@pytest.mark.parametrize("row", TABLES.nvlink, ids=lambda row: f"{row.xid} {row.unit[0]} {row.info_before_575.value:#x} {row.error_status}")
def test_a_sub_code_has_a_meaning_and_a_source(row: NvlinkRule) -> None:
    assert row.source
    assert row.action in ACTIONS
    assert (row.blames == "nothing") == (row.action == "none")
    assert row.kills_job == (row.action in ("reset_gpu", "reboot", "replace"))
    assert row.severity == "non-fatal" or row.action != "none", "what took a link or a GPU down is not harmless"
    assert len(row.unit) <= 2, "one name for each arrangement of the first word"
    for bits in (row.info_before_575, row.info_from_575):
        assert bits.mask & ~NVLINK5_INFO == 0, "it asks for bits that are not kept"


def test_each_sub_code_is_there_once_for_each_row_of_the_sheet() -> None:
    assert {xid: sum(row.xid == xid for row in TABLES.nvlink) for xid in NVLINK5} == {
        144: 6,
        145: 33 + 3,  # three have a second action
        146: 20,
        147: 2,
        148: 1,
        149: 31,
        150: 2 + 1,  # one holds for two states
    }


def test_no_error_means_two_things() -> None:
    for one, other in itertools.combinations(TABLES.nvlink, 2):
        if (
            one.xid == other.xid
            and set(one.unit) & set(other.unit)
            and (None in (one.error_status, other.error_status) or alike(one, other))
        ):
            same = (one.action, one.kills_job, one.blames) == (other.action, other.kills_job, other.blames)
            assert same or not any(meet(a, b) for a, b in itertools.product(arrangements(one), arrangements(other))), (one, other)


def alike(one: NvlinkRule, other: NvlinkRule) -> bool:
    return one.error_status == other.error_status


def arrangements(row: NvlinkRule) -> tuple[Bits, Bits]:
    return row.info_before_575, row.info_from_575


def meet(one: Bits, other: Bits) -> bool:
    """Say whether a word may have the bits of both."""
    return (one.value ^ other.value) & one.mask & other.mask == 0
