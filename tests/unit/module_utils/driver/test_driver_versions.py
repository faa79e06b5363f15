"""One version of everything: from what the package sources offer and what is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.driver.installed import Installed, complete_and_held, kept_version, parse_dpkg
from ansible_collections.gpu.fleet.plugins.module_utils.driver.offers import keep_or_resolve, parse_policy, resolve
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.version import matches, newest_first, upstream

CAPTURED = Path(__file__).parent / "captured"
BOOKWORM = parse_policy((CAPTURED / "apt-2.6.2-policy.txt").read_text(encoding="utf-8"))
TRIXIE = parse_policy((CAPTURED / "apt-3.0.4-policy.txt").read_text(encoding="utf-8"))
BOTH = {
    "open": ["nvidia-smi", "firmware-nvidia-gsp", "nvidia-open-kernel-dkms"],
    "proprietary": ["nvidia-smi", "firmware-nvidia-gsp", "nvidia-kernel-dkms"],
}
OPEN = {"open": BOTH["open"]}
NO_MODULE = {"": ["nvidia-smi"]}


@pytest.mark.parametrize(
    ("version", "driver"),
    [
        ("535.309.01-0+deb12u1", "535.309.01"),
        ("550.163.01-2", "550.163.01"),
        ("1:580.95.05-0ubuntu1", "580.95.05"),
        ("535.261.03", "535.261.03"),
    ],
)
def test_driver_version_within_a_packages_version(version: str, driver: str) -> None:
    assert upstream(version) == driver


@pytest.mark.parametrize(
    ("wanted", "version", "answer"),
    [
        ("", "535.261.03", True),
        ("535", "535.261.03", True),
        ("535.261.03", "535.261.03", True),
        ("53", "535.261.03", False),
        ("535.261", "535.261.03", True),
        ("535.26", "535.261.03", False),
        ("535.261.03", "535.309.01", False),
    ],
)
def test_wanted_is_exact_or_a_branch(wanted: str, version: str, *, answer: bool) -> None:
    assert matches(wanted, version) is answer


def test_versions_sort_as_numbers() -> None:
    assert newest_first(["535.54.03", "550.163.01", "535.309.01"]) == ["550.163.01", "535.309.01", "535.54.03"]


def test_policy_of_a_node_with_an_older_version_installed() -> None:
    assert BOOKWORM["nvidia-smi"] == [("535.309.01-0+deb12u1", 500), ("535.261.03-1", 500)]
    assert BOOKWORM["nvidia-open-kernel-dkms"] == [("535.261.03-1", 500)]
    assert "linux-headers-nowhere" not in BOOKWORM


def test_policy_as_apt_3_prints_it() -> None:
    assert TRIXIE["nvidia-modprobe"] == [("570.133.07-1", 500)]
    assert TRIXIE["nvidia-smi"] == [("550.163.01-2", 500)]


def test_the_newer_version_wins_over_the_recommended_flavour() -> None:
    assert resolve(BOOKWORM, BOTH, "") == (
        "proprietary",
        {
            "nvidia-smi": "535.309.01-0+deb12u1",
            "firmware-nvidia-gsp": "535.309.01-0+deb12u1",
            "nvidia-kernel-dkms": "535.309.01-0+deb12u1",
        },
    )


def test_the_recommended_flavour_wins_at_the_same_version() -> None:
    assert resolve(TRIXIE, BOTH, "550")[0] == "open"
    assert resolve(BOOKWORM, BOTH, "535.261.03")[0] == "open"


def test_open_on_bookworm_is_what_its_module_has_and_no_mixture() -> None:
    assert set(resolve(BOOKWORM, OPEN, "535")[1].values()) == {"535.261.03-1"}


def test_a_version_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(
        Refusal,
        match=r"Found 535\.309\.01; 535\.261\.03 in .* Expected all driver packages at 580\. Next step: set nvidia_driver_version",
    ):
        resolve(BOOKWORM, NO_MODULE, "580")


def test_a_version_that_is_not_complete_names_the_package_that_lags() -> None:
    with pytest.raises(
        Refusal, match=r"Found 535\.309\.01 \(but not of nvidia-open-kernel-dkms\); 535\.261\.03 in .* Expected .* 535\.309\.01\."
    ):
        resolve(BOOKWORM, OPEN, "535.309.01")


def test_sources_without_the_driver_are_said_to_have_none() -> None:
    with pytest.raises(Refusal, match="Found no driver packages"):
        resolve({}, NO_MODULE, "")


def test_backports_have_to_be_asked_for() -> None:
    offers = {"nvidia-smi": [("550.1-1~bpo12+1", 100), ("535.1-1", 500)]}
    assert resolve(offers, NO_MODULE, "")[1] == {"nvidia-smi": "535.1-1"}
    assert resolve(offers, NO_MODULE, "550")[1] == {"nvidia-smi": "550.1-1~bpo12+1"}


def test_of_two_packagings_of_a_driver_the_newer_is_taken() -> None:
    offers = {"nvidia-smi": [("535.1-2", 500), ("535.1-1", 500)]}
    assert resolve(offers, NO_MODULE, "")[1] == {"nvidia-smi": "535.1-2"}


def test_installed_and_held_as_dpkg_lists_it() -> None:
    installed = parse_dpkg((CAPTURED / "dpkg-1.21.23-list.txt").read_text(encoding="utf-8"))
    assert installed["nvidia-smi"] == Installed("535.261.03-1", held=True)
    assert installed["nvidia-support"].held is False


@pytest.mark.parametrize("line", ["libgl1  un ", "nvidia-smi 535.1-1 iF ", "nvidia-smi 535.1-1 rc ", "nvidia-smi 535.1-1 hU"])
def test_half_installed_is_not_installed(line: str) -> None:
    assert parse_dpkg(line + "\n") == {}


def installed(**versions: str) -> dict[str, Installed]:
    return {name: Installed(version, held=True) for name, version in versions.items()}


@pytest.mark.parametrize(
    ("present", "wanted", "kept"),
    [
        (installed(a="535.1-1", b="535.1-1"), "", "535.1"),
        (installed(a="535.1-1"), "535", "535.1"),
        (installed(a="535.1-1", b="535.2-1"), "535", ""),
        (installed(a="535.1-1", b="535.1-1"), "550", ""),
        ({}, "", ""),
    ],
)
def test_what_a_node_keeps(present: dict[str, Installed], wanted: str, kept: str) -> None:
    assert kept_version(present, ["a", "b"], wanted) == kept


def test_complete_and_held() -> None:
    assert complete_and_held(installed(a="535.1-1", b="535.1-1"), ["a", "b"])
    assert not complete_and_held(installed(a="535.1-1"), ["a", "b"])
    assert not complete_and_held({"a": Installed("535.1-1", held=False)}, ["a"])


def test_a_repair_is_no_upgrade() -> None:
    assert set(keep_or_resolve(BOOKWORM, BOTH, "535", "535.261.03")[1].values()) == {"535.261.03-1"}


def test_a_version_that_vanished_is_left_for_one_that_is_complete() -> None:
    assert set(keep_or_resolve(BOOKWORM, BOTH, "535", "535.99.01")[1].values()) == {"535.309.01-0+deb12u1"}
