"""A table that was edited into something else is refused, with the place."""

from __future__ import annotations

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.tables import GPU_TABLE, NVLINK_TABLE, XID_TABLE, TableError, load, same_model
from unit.module_utils.healthy_node import FILES, TABLES

GPUS = (FILES / GPU_TABLE).read_text()
XIDS = (FILES / XID_TABLE).read_text()
NVLINK = (FILES / NVLINK_TABLE).read_text()


@pytest.mark.parametrize(
    ("gpus", "xids", "message"),
    [
        (GPUS.replace(",pcie_width,", ",lanes,", 1), XIDS, r"gpu_reference.csv: found the columns .*expected also pcie_width"),
        (GPUS.replace("4,16,,,,datasheet\n", "4,16,,,,\n", 1), XIDS, r"gpu_reference.csv, row 4 \(A10\), column source: found nothing"),
        (
            GPUS.replace("2039", "two thousand"),
            XIDS,
            r"row 6 \(A100-SXM4-80GB\), column memory_peak_gb_s: found 'two thousand', expected a number",
        ),
        (GPUS.replace("1eb8", "xyz"), XIDS, r"row 2 \(Tesla T4\), column pci_device_id: found 'xyz', expected four hexadecimal"),
        (GPUS.replace("fp16", "fp4", 1), XIDS, r"column matmul_dtype: found 'fp4', expected one of bf16, fp16"),
        (GPUS.replace("RTX 4090", "RTX 5090"), XIDS, r"row 11, column gpu: RTX 5090 stands in row 10 already"),
        (GPUS.replace("Tesla T4,1eb8,7.5,16,320", "Tesla T4,1eb8,7.5,16,-320"), XIDS, r"column memory_peak_gb_s: found '-320'"),
        (GPUS.replace("Tesla T4,1eb8,7.5,16,320", "Tesla T4,1eb8,7.5,16,inf"), XIDS, r"column memory_peak_gb_s: found 'inf'"),
        (GPUS.splitlines()[0], XIDS, r"gpu_reference.csv: found no row"),
        ("", XIDS, r"gpu_reference.csv: found the columns none, expected also gpu"),
        (
            GPUS,
            XIDS.replace("reboot,yes", "restart,yes", 1),
            r"xid_catalog.csv, row \d+ \(79\), column action: found 'restart', expected one of none",
        ),
        (GPUS, XIDS.replace(",NVIDIA Xid catalogue", ",", 1), r"xid_catalog.csv, row 2 \(1\), column source"),
    ],
)
def test_a_broken_table_names_file_row_and_column(gpus: str, xids: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        load(gpus, xids, NVLINK)


@pytest.mark.parametrize(
    ("nvlink", "message"),
    [
        (NVLINK.replace(",error_status,", ",status,", 1), r"xid_nvlink5.csv: found the columns .*expected also error_status"),
        (NVLINK.replace("----0000100001", "----000010000", 1), r"row 2 \(144\), column info_before_575: found .*expected 32 bits"),
        (NVLINK.replace("0x00000001", "1", 1), r"row 2 \(144\), column error_status: found '1', expected 0x and eight"),
        (NVLINK.replace("reset_gpu", "reset", 1), r"row 3 \(144\), column action: found 'reset', expected one of none"),
        (NVLINK.replace("SAW_MVB", "", 1), r"row 2 \(144\), column unit: found nothing"),
        (NVLINK.replace("0x00000002", "0x00000001", 1), r"row 3, column xid, unit, .*0x00000001 stands in row 2 already"),
    ],
)
def test_a_broken_table_of_sub_codes_names_file_row_and_column(nvlink: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        load(GPUS, XIDS, nvlink)


def test_a_row_too_short_is_refused() -> None:
    with pytest.raises(TableError, match=r"row 19 \(X1\), column pci_device_id: found ''"):
        load(GPUS + "X1\n", XIDS, NVLINK)


def test_a_gpu_is_found_by_its_id_then_by_its_name() -> None:
    assert TABLES.gpu("2335", "anything").gpu == "H200"  # type: ignore[union-attr]
    assert TABLES.gpu(None, "NVIDIA GeForce RTX 4090").gpu == "RTX 4090"  # type: ignore[union-attr]
    assert TABLES.gpu("233b", "NVIDIA H200 NVL") is None
    assert TABLES.gpu(None, None) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("H100 80GB HBM3", "NVIDIA H100 80GB HBM3", True),
        ("NVIDIA A100-SXM4-80GB", "a100-sxm4-80gb", True),
        ("Tesla T4", "T4", True),
        ("H100", "NVIDIA H100 80GB HBM3", False),
        ("A100-SXM4-40GB", "A100-SXM4-80GB", False),
    ],
)
def test_names_of_models(one: str, other: str, same: bool) -> None:  # noqa: FBT001
    assert same_model(one, other) is same
