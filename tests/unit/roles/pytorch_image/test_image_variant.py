"""The choice of the image's CUDA variant, and what is inside the image against what its name says."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.gpu.fleet.plugins.filter.image_variant import image_variant
from ansible_collections.gpu.fleet.plugins.module_utils.image_variant import VARIANTS, ImpossibleVariant, choose, mismatches, version

T4, V100, P100, A100, H100, B200, B300, RTX5090 = "7.5", "7.0", "6.0", "8.0", "9.0", "10.0", "10.3", "12.0"


@pytest.mark.parametrize(
    ("capabilities", "driver", "expected"),
    [
        ([H100], "575.57.08", "cu128"),
        ([H100], "570.26", "cu128"),
        ([H100], "565.57.01", "cu126"),
        ([H100], "560.28.03", "cu126"),
        # An older driver of the same series runs CUDA 12 through minor-version compatibility: the release that asks least of it.
        ([H100], "535.261.03", "cu126"),
        ([A100], "525.60.13", "cu126"),
        # Too old for CUDA 12.
        ([A100], "520.61.05", "cu118"),
        ([A100], "470.256.02", "cu118"),
        # Not in the newest build.
        ([V100], "575.57.08", "cu126"),
        ([P100, H100], "575.57.08", "cu126"),
        (["3.7"], "470.256.02", "cu118"),
        ([T4], "575.57.08", "cu128"),
        # Only in the newest build.
        ([B200], "580.65.06", "cu128"),
        ([B300], "580.65.06", "cu128"),
        ([RTX5090, H100], "575.57.08", "cu128"),
    ],
)
def test_choice(capabilities: list[str], driver: str, expected: str) -> None:
    assert choose(capabilities, driver) == expected


@pytest.mark.parametrize(
    ("capabilities", "driver", "told", "says"),
    [
        ([B200], "535.261.03", "auto", ["10.0", "535.261.03", "570.26", "nvidia_driver_version"]),
        ([RTX5090], "565.57.01", "auto", ["12.0", "570.26"]),
        ([V100, B200], "575.57.08", "auto", ["7.0, 10.0", "one build", "pytorch_image_tag"]),
        (["13.0"], "600.10", "auto", ["13.0", "cu128: 7.5 to 9.0, 10.0 to 10.9, 12.0 to 12.9"]),
        ([H100], "440.33.01", "auto", ["440.33.01", "450.80.02", "nvidia_driver_version"]),
        ([V100], "575.57.08", "cu128", ["7.0", "pytorch_image_variant: cu128", "cu118 or cu126"]),
        ([B200], "575.57.08", "cu126", ["10.0", "cu126", "cu128"]),
        ([H100], "520.61.05", "cu126", ["520.61.05", "525.60.13", "cu118"]),
    ],
)
def test_impossible_combinations_are_refused(capabilities: list[str], driver: str, told: str, says: list[str]) -> None:
    with pytest.raises(ImpossibleVariant) as refusal:
        choose(capabilities, driver, told)
    message = str(refusal.value)
    assert message.startswith("found ")
    assert "expected" in message
    assert "Next: " in message
    for words in says:
        assert words in message


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_what_is_told_is_taken_where_it_runs(variant: object) -> None:
    assert choose(["8.0"], "575.57.08", variant.name) == variant.name


def test_every_choice_runs_on_what_it_was_chosen_for() -> None:
    capabilities = ["3.7", "5.0", "6.1", "7.0", "7.5", "8.0", "8.6", "8.9", "9.0", "10.0", "10.3", "12.0"]
    drivers = ["440.33.01", "450.80.02", "470.256.02", "520.61.05", "525.60.13", "535.261.03", "560.28.03", "570.26", "580.65.06"]
    chosen = set()
    for capability in capabilities:
        for driver in drivers:
            try:
                name = choose([capability], driver)
            except ImpossibleVariant:
                continue
            variant = next(one for one in VARIANTS if one.name == name)
            assert variant.runs_on(capability)
            assert version(driver) >= version(variant.oldest_driver)
            chosen.add(name)
    assert chosen == {"cu118", "cu126", "cu128"}


def test_versions_compare_as_numbers() -> None:
    assert version("570.26") > version("570.9")
    assert version("12.0") > version("9.0")


def test_filter_takes_cpu_without_looking() -> None:
    assert image_variant({"capabilities": [], "problem": "no library"}, "cpu") == "cpu"


def test_filter_takes_what_is_told_where_nvml_is_silent() -> None:
    assert image_variant({"capabilities": []}, "cu118") == "cu118"


def test_filter_takes_the_assumption_only_for_auto() -> None:
    assert image_variant({"capabilities": []}, "auto", "cu126") == "cu126"
    assert image_variant({"capabilities": []}, "cu118", "cu126") == "cu118"


def test_filter_refuses_to_guess() -> None:
    with pytest.raises(AnsibleFilterError, match=r"found no GPU .*libnvidia-ml.*expected.*Next: "):
        image_variant({"capabilities": [], "problem": "libnvidia-ml.so.1: cannot open shared object file"})


def test_filter_refuses_what_cannot_work() -> None:
    with pytest.raises(AnsibleFilterError, match=r"570\.26"):
        image_variant({"capabilities": [B200], "driver_version": "535.261.03"})


CU126 = {"torch": "2.7.1+cu126", "cuda": "12.6", "cudnn": "9.5.1", "nccl": "2.26.2"}


def test_an_image_that_is_what_it_says() -> None:
    assert mismatches(CU126, "2.7.1", "cu126") == []
    assert mismatches({"torch": "2.13.0+cpu", "cuda": None, "cudnn": None, "nccl": None}, "2.13.0", "cpu") == []


@pytest.mark.parametrize(
    ("change", "torch_version", "variant", "expected"),
    [
        ({}, "2.7.0", "cu126", ["PyTorch: found 2.7.1+cu126, expected 2.7.0"]),
        ({}, "2.7.1", "cu128", ["CUDA: found 12.6, expected 12.8"]),
        ({}, "2.7.1", "cu118", ["CUDA: found 12.6, expected 11.8", "NCCL: found 2.26.2, expected 2.21.5"]),
        ({}, "2.7.1", "cpu", ["CUDA: found 12.6, expected none"]),
        ({"cuda": None, "cudnn": None, "nccl": None}, "2.7.1", "cu126", ["CUDA: found none", "NCCL: found none", "cuDNN: found none"]),
        ({"cudnn": "8.9.7"}, "2.7.1", "cu126", ["cuDNN: found 8.9.7, expected 9"]),
    ],
)
def test_a_mismatch_names_both(change: dict, torch_version: str, variant: str, expected: list[str]) -> None:
    found = mismatches({**CU126, **change}, torch_version, variant)
    assert len(found) == len(expected)
    for got, wanted in zip(found, expected):
        assert got.startswith(wanted)


def test_of_another_series_only_torch_and_cuda_are_known() -> None:
    assert mismatches({"torch": "2.8.0+cu128", "cuda": "12.8", "cudnn": "9.10.2", "nccl": "2.27.3"}, "2.8.0", "cu128") == []
