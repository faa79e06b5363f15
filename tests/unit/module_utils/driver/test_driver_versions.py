"""One version of everything: from what the package sources offer and what is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.driver.installed import (
    Installed,
    complete_and_held,
    installed_branch,
    interrupted,
    kept_version,
    parse_dpkg,
)
from ansible_collections.gpu.fleet.plugins.module_utils.driver.offers import Offers, complete, parse_policy
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.rule import Rule
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


def newest(offers: Offers, lists: dict[str, list[str]], wanted: str) -> tuple[str, dict[str, str]]:
    """Return flavour and packages of the newest version that is complete."""
    whole = next(iter(complete(offers, lists, wanted).values()))
    return whole.flavour, dict(whole.packages)


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
    assert newest(BOOKWORM, BOTH, "") == (
        "proprietary",
        {
            "nvidia-smi": "535.309.01-0+deb12u1",
            "firmware-nvidia-gsp": "535.309.01-0+deb12u1",
            "nvidia-kernel-dkms": "535.309.01-0+deb12u1",
        },
    )


def test_the_recommended_flavour_wins_at_the_same_version() -> None:
    assert newest(TRIXIE, BOTH, "550")[0] == "open"
    assert newest(BOOKWORM, BOTH, "535.261.03")[0] == "open"


def test_open_on_bookworm_is_what_its_module_has_and_no_mixture() -> None:
    assert set(newest(BOOKWORM, OPEN, "535")[1].values()) == {"535.261.03-1"}


def test_a_version_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(
        Refusal,
        match=r"Found 535\.309\.01; 535\.261\.03 in .* Expected all driver packages at 580\. Next step: set nvidia_driver_version",
    ):
        newest(BOOKWORM, NO_MODULE, "580")


def test_a_version_that_is_not_complete_names_the_package_that_lags() -> None:
    with pytest.raises(
        Refusal, match=r"Found 535\.309\.01 \(but not of nvidia-open-kernel-dkms\); 535\.261\.03 in .* Expected .* 535\.309\.01\."
    ):
        newest(BOOKWORM, OPEN, "535.309.01")


def test_sources_without_the_driver_are_said_to_have_none() -> None:
    with pytest.raises(Refusal, match="Found no driver packages"):
        newest({}, NO_MODULE, "")


def test_backports_have_to_be_asked_for() -> None:
    offers = {"nvidia-smi": [("550.1-1~bpo12+1", 100), ("535.1-1", 500)]}
    assert newest(offers, NO_MODULE, "")[1] == {"nvidia-smi": "535.1-1"}
    assert newest(offers, NO_MODULE, "550")[1] == {"nvidia-smi": "550.1-1~bpo12+1"}


def test_of_two_packagings_of_a_driver_the_newer_is_taken() -> None:
    offers = {"nvidia-smi": [("535.1-2", 500), ("535.1-1", 500)]}
    assert newest(offers, NO_MODULE, "")[1] == {"nvidia-smi": "535.1-2"}


def test_installed_and_held_as_dpkg_lists_it() -> None:
    installed = parse_dpkg((CAPTURED / "dpkg-1.21.23-list.txt").read_text(encoding="utf-8"), "amd64")
    assert installed["nvidia-smi"] == Installed("535.261.03-1", held=True)
    assert installed["nvidia-support"].held is False


@pytest.mark.parametrize("line", ["libgl1   un ", *(f"nvidia-smi 535.1-1 amd64 {status}" for status in ("iF ", "rc ", "hU"))])
def test_half_installed_is_not_installed(line: str) -> None:
    assert parse_dpkg(line + "\n", "amd64") == {}


def test_a_library_of_another_architecture_is_not_taken_for_the_nodes_own() -> None:
    """Without a hold it hid the one that is held, and the node was never as it should be."""
    lines = "libcuda1 535.1-1 amd64 hi \nlibcuda1 535.2-1 i386 ii \nnvidia-kernel-common 20220217+3 all ii \nlibgl1 1 i386 ii \n"
    there = parse_dpkg(lines, "amd64")
    assert there == {"libcuda1": Installed("535.1-1", held=True), "nvidia-kernel-common": Installed("20220217+3", held=False)}


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


POLICY = """\
libcuda1:
  Installed: 535.1-1
  Candidate: 580.1-1
  Version table:
     580.1-1 500
        500 https://mirror.example/cuda/debian12/x86_64  Packages
     535.2-1 500
        500 http://mirror.example/debian bookworm/non-free amd64 Packages
 *** 535.1-1 100
        100 /var/lib/dpkg/status
"""


@pytest.mark.parametrize(
    ("places", "versions"),
    [
        ((), ["580.1-1", "535.2-1", "535.1-1"]),
        (("http://mirror.example/debian",), ["535.2-1", "535.1-1"]),
        (("https://mirror.example/cuda/debian12/x86_64",), ["580.1-1", "535.1-1"]),
    ],
)
def test_only_the_chosen_source_counts_and_what_is_installed(places: tuple[str, ...], versions: list[str]) -> None:
    assert [version for version, _ in parse_policy(POLICY, places)["libcuda1"]] == versions


def rules(*names: str) -> tuple[Rule, ...]:
    return tuple(Rule((name,), source="made up") for name in names)


@pytest.mark.parametrize(
    ("packages", "branch"),
    [
        ({"libnvidia-compute-570-server": "570.1-0ubuntu1"}, "570"),
        ({"libnvidia-compute": "590.48.01-1"}, "590"),
        ({"libnvidia-compute-570-server": "570.1-1", "libnvidia-compute": "590.1-1"}, ""),
        ({"libnvidia-compute-570-server-extra": "570.1-1", "bash": "5.2"}, ""),
    ],
)
def test_the_branch_that_a_node_has(packages: dict[str, str], branch: str) -> None:
    there = {name: Installed(version, held=False) for name, version in packages.items()}
    assert installed_branch(there, rules("libnvidia-compute-{branch}-server", "libnvidia-compute")) == branch


@pytest.mark.parametrize(("status", "half"), [("ii ", False), ("hi ", False), ("rc ", False), ("iU ", True), ("iF ", True), ("hiR", False)])
def test_a_dpkg_that_was_stopped_is_seen(status: str, *, half: bool) -> None:
    assert interrupted(f"bash 5.2 amd64 ii \nlibcuda1 535.1-1 amd64 {status}\n") is half
