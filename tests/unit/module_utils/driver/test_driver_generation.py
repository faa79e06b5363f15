"""Which kernel module and which branch a GPU can run, by its PCI device id."""

from __future__ import annotations

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.driver.misfit import flavours, refuse_misfit
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.gpu_generation import generation_of

# By the PCI id repository: K80, GTX 750, M60, P100, V100, T4, A100 SXM4, A10, L4, L40S, H100 SXM5, H200, GH200, RTX 4090, B200, GB200,
# RTX PRO 6000 Blackwell, B300.
K80, GTX750, M60, P100, V100, T4, A100, A10, L4, L40S = 0x102D, 0x1381, 0x13F2, 0x15F8, 0x1DB1, 0x1EB8, 0x20B0, 0x2236, 0x27B8, 0x26B9
H100, H200, GH200, RTX4090, B200, GB200, RTX6000, B300 = 0x2330, 0x2335, 0x2342, 0x2684, 0x2901, 0x2941, 0x2BB1, 0x3182


@pytest.mark.parametrize(
    ("asked", "gpus", "expected"),
    [
        ("auto", [V100] * 8, ["proprietary"]),
        ("auto", [H100] * 8, ["open", "proprietary"]),
        ("auto", [B200] * 8, ["open"]),
        ("auto", [V100, H100], ["proprietary"]),
        ("auto", [], ["open", "proprietary"]),
        ("proprietary", [H100], ["proprietary"]),
        ("open", [H100], ["open"]),
    ],
)
def test_flavour_by_gpu(asked: str, gpus: list[int], expected: list[str]) -> None:
    assert flavours(asked, gpus) == expected


@pytest.mark.parametrize("gpu", [K80, GTX750, M60, P100, V100])
def test_before_turing_only_the_proprietary_module_works(gpu: int) -> None:
    assert flavours("auto", [gpu]) == ["proprietary"]
    with pytest.raises(Refusal, match=r"which work with proprietary kernel module\. .*'open'\. Next step: set it to auto\."):
        flavours("open", [gpu])


@pytest.mark.parametrize("gpu", [T4, A100, A10, L4, L40S, H100, H200, RTX4090])
def test_from_turing_to_hopper_both_work_and_the_open_one_comes_first(gpu: int) -> None:
    assert flavours("auto", [gpu]) == ["open", "proprietary"]


@pytest.mark.parametrize("gpu", [GH200, B200, GB200, RTX6000, B300, 0xFFFF])
def test_on_grace_and_from_blackwell_on_only_the_open_module_works(gpu: int) -> None:
    assert flavours("auto", [gpu]) == ["open"]
    with pytest.raises(Refusal, match=r"which work with open kernel module\. .*'proprietary'"):
        flavours("proprietary", [gpu])


def test_gpus_without_a_common_module_are_refused() -> None:
    with pytest.raises(Refusal, match=r"0x1db1, 0x2901, which work with no common kernel module\. .* Next step: part these GPUs"):
        flavours("auto", [V100, B200])


def test_a_flavour_that_is_none_is_refused() -> None:
    with pytest.raises(Refusal, match=r"Found the kernel module flavour 'closed'\. Expected auto, open or proprietary"):
        flavours("closed", [H100])


@pytest.mark.parametrize(
    ("gpu", "flavour", "version"),
    [
        (K80, "proprietary", "470.256.02"),
        (V100, "proprietary", "535"),
        (V100, "proprietary", "580.95.05"),
        (T4, "open", "515"),
        (H100, "open", "535.261.03"),
        (H100, "proprietary", "610"),
        (B200, "open", "570.133.20"),
        (RTX6000, "open", "610"),
    ],
)
def test_a_branch_that_knows_the_gpu(gpu: int, flavour: str, version: str) -> None:
    refuse_misfit([gpu], flavour, version)


@pytest.mark.parametrize(
    ("gpu", "flavour", "version", "message"),
    [
        (B200, "open", "550.163.01", r"Found driver 550\.163\.01 for a GPU of .* 0x2901 \(Blackwell or later\)\. Expected .* 570 or later"),
        (B200, "proprietary", "580", r"which work with open kernel module"),
        (V100, "open", "580", r"which work with proprietary kernel module"),
        (V100, "proprietary", "590", r"\(Maxwell, Pascal or Volta\)\. Expected .* 384 to 580\. Next step: set nvidia_driver_version"),
        (K80, "proprietary", "535", r"\(older than Maxwell\)\. Expected .* 0 to 470"),
        (A100, "open", "510", r"\(Turing or Ampere\)\. Expected .* with the open kernel module, which is 515 or later"),
        (H100, "proprietary", "515", r"\(Hopper\)\. Expected .* 520 or later"),
        (H100, "open", "newest", r"Found 'newest' as the driver's version"),
    ],
)
def test_a_branch_that_is_too_old_or_too_new_is_refused(gpu: int, flavour: str, version: str, message: str) -> None:
    with pytest.raises(Refusal, match=message):
        refuse_misfit([gpu], flavour, version)


def test_the_branch_has_to_fit_every_gpu() -> None:
    with pytest.raises(Refusal, match="0x1db1"):
        refuse_misfit([T4, V100], "proprietary", "590")


@pytest.mark.parametrize(("device_id", "name"), [(0x133F, "older than Maxwell"), (0x1340, "Maxwell, Pascal or Volta"), (0x28FF, "Ada")])
def test_a_row_holds_up_to_the_next(device_id: int, name: str) -> None:
    assert generation_of(device_id).name == name
