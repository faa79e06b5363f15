"""The plan as a whole, and what the kernel module needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from ansible_collections.gpu.fleet.roles.nvidia_driver.files import driver_plan
from ansible_collections.gpu.fleet.roles.nvidia_driver.files.driver_plan import (
    Installed,
    Node,
    PlanError,
    flavours,
    gpu_ids,
    header_packages,
    plan,
)

if TYPE_CHECKING:
    from pathlib import Path

# By NVIDIA's list of PCI ids: P100, V100, T4, A100 SXM4, H100 SXM5, GH200, B200, RTX PRO 6000 Blackwell.
P100, V100, T4, A100, H100, GH200, B200, RTX6000 = 0x15F8, 0x1DB1, 0x1EB8, 0x20B0, 0x2330, 0x2342, 0x2901, 0x2BB1
LIMITS = {"open_from": 0x1E00, "open_only": [[0x2340, 0x234F], [0x2900, 0xFFFF]]}


@pytest.mark.parametrize(
    ("asked", "gpus", "expected"),
    [
        ("auto", [V100] * 8, ["proprietary"]),
        ("auto", [P100], ["proprietary"]),
        ("auto", [T4], ["open", "proprietary"]),
        ("auto", [A100], ["open", "proprietary"]),
        ("auto", [H100] * 8, ["open", "proprietary"]),
        ("auto", [GH200], ["open"]),
        ("auto", [B200] * 8, ["open"]),
        ("auto", [RTX6000], ["open"]),
        ("auto", [], ["open", "proprietary"]),
        ("proprietary", [H100], ["proprietary"]),
        ("open", [H100], ["open"]),
    ],
)
def test_flavour_by_gpu(asked: str, gpus: list[int], expected: list[str]) -> None:
    assert flavours(asked, gpus, LIMITS) == expected


@pytest.mark.parametrize(("asked", "gpus"), [("open", [V100]), ("proprietary", [B200]), ("auto", [V100, B200])])
def test_a_flavour_that_does_not_fit_is_refused(asked: str, gpus: list[int]) -> None:
    with pytest.raises(PlanError, match=r"Found GPUs of PCI device id 0x.* Expected .* Next step: set it to auto"):
        flavours(asked, gpus, LIMITS)


def test_gpus_are_found_without_a_driver(tmp_path: Path) -> None:
    for name, vendor, kind, device in [
        ("0000:1b:00.0", "0x10de", "0x030200", "0x2330"),
        ("0000:1b:00.1", "0x10de", "0x040300", "0x22ba"),
        ("0000:05:00.0", "0x10de", "0x068000", "0x22a3"),
        ("0000:06:00.0", "0x1a03", "0x030000", "0x2000"),
    ]:
        (tmp_path / name).mkdir()
        for attribute, text in (("vendor", vendor), ("class", kind), ("device", device)):
            (tmp_path / name / attribute).write_text(text + "\n", encoding="utf-8")
    (tmp_path / "0000:07:00.0").mkdir()
    assert gpu_ids(tmp_path) == [H100]


@pytest.mark.parametrize(
    ("kernel", "following"),
    [
        ("6.1.0-56-cloud-amd64", "linux-headers-cloud-amd64"),
        ("6.1.0-40-amd64", "linux-headers-amd64"),
        ("6.12.57+deb13-amd64", "linux-headers-amd64"),
        ("6.12.57+deb13-cloud-amd64", "linux-headers-cloud-amd64"),
        ("6.1.0-0.deb11.13-amd64", "linux-headers-amd64"),
        ("6.1.0-40-rt-amd64", "linux-headers-rt-amd64"),
        ("6.1.0-40-arm64-16k", "linux-headers-arm64-16k"),
    ],
)
def test_headers_of_this_kernel_and_of_the_next(kernel: str, following: str) -> None:
    assert header_packages(kernel) == (f"linux-headers-{kernel}", following)


KERNEL = "6.1.0-56-cloud-amd64"
POLICY = """\
libcuda1:
     535.2-1 500
     535.1-1 500
prop-dkms:
     535.2-1 500
     535.1-1 500
open-dkms:
     535.1-1 500
"""
HEADERS = f"linux-headers-{KERNEL}:\n     6.1.1-1 500\nlinux-headers-cloud-amd64:\n     6.1.2-1 500\n"


class FakeApt:
    """What the sources offer, without apt."""

    policy = POLICY
    sources: ClassVar[dict[str, str]] = {}

    def __init__(self, root: Path) -> None:
        assert root.is_dir()

    def complete(self, origin: str, components: list[str]) -> dict[str, str]:
        assert (origin, components) == ("Debian", ["non-free"])
        return self.sources

    def run(self, *command: str) -> str:
        assert command[:2] == ("apt-cache", "policy")
        return self.policy

    def simulate(self, packages: list[str]) -> list[str]:
        return [f"Inst {package}" for package in packages]


@pytest.fixture(autouse=True)
def _apt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_plan, "ScratchApt", FakeApt)
    monkeypatch.setattr(FakeApt, "policy", POLICY)


def request(**changes: Any) -> dict[str, Any]:
    return {"version": "", "origin": "Debian", "components": ["non-free"], "packages": ["libcuda1"], "files": [], "module": {}, **changes}


MODULE = {
    "flavour": "auto",
    "packages": {"open": ["open-dkms"], "proprietary": ["prop-dkms"]},
    "companions": ["persistenced"],
    "limits": LIMITS,
}


def node(*, gpus: tuple[int, ...] = (), has_headers: bool = False, **versions: str) -> Node:
    return Node(
        {name: Installed(version, held=True) for name, version in versions.items()}, KERNEL, has_headers=has_headers, gpus=list(gpus)
    )


def test_a_node_as_it_should_be_is_left_without_a_look_at_the_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_plan, "ScratchApt", None)
    assert plan(request(version="535"), node(libcuda1="535.1-1")) == {"converged": True, "version": "535.1", "flavour": ""}


def test_a_bare_node_gets_the_newest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sources = tmp_path / "sources.list"
    sources.touch(mode=0o640)
    monkeypatch.setattr(FakeApt, "sources", {str(sources): "new text"})
    planned = plan(request(), node())
    assert planned["packages"] == ["libcuda1=535.2-1"]
    assert planned["hold"] == ["libcuda1"]
    assert planned["changes"] == ["Inst libcuda1=535.2-1"]
    assert planned["sources"] == [{"path": str(sources), "text": "new text", "mode": "0640"}]


def test_another_exact_version_is_a_change() -> None:
    assert plan(request(version="535.2"), node(libcuda1="535.1-1"))["packages"] == ["libcuda1=535.2-1"]


def test_a_package_that_is_not_held_is_a_change_but_no_upgrade() -> None:
    free = Node({"libcuda1": Installed("535.1-1", held=False)}, KERNEL, has_headers=False, gpus=[])
    assert plan(request(), free)["packages"] == ["libcuda1=535.1-1"]


def test_with_a_module_come_its_headers_and_companions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeApt, "policy", POLICY + HEADERS)
    planned = plan(request(module=MODULE), node(gpus=(H100,)))
    assert planned["flavour"] == "proprietary"
    assert planned["packages"] == [
        "libcuda1=535.2-1",
        "prop-dkms=535.2-1",
        "persistenced",
        f"linux-headers-{KERNEL}",
        "linux-headers-cloud-amd64",
    ]
    assert planned["hold"] == ["libcuda1", "prop-dkms"]


def test_gpus_that_need_the_open_module_decide_the_version() -> None:
    planned = plan(request(module=MODULE), node(gpus=(B200,), has_headers=True))
    assert (planned["flavour"], planned["version"]) == ("open", "535.1")
    assert planned["packages"] == ["libcuda1=535.1-1", "open-dkms=535.1-1", "persistenced"]


def test_a_kernel_without_headers_is_refused() -> None:
    with pytest.raises(
        PlanError, match=rf"Found kernel {KERNEL} running, and no package .* Expected linux-headers-{KERNEL} .* Next step: boot a kernel"
    ):
        plan(request(module=MODULE), node(gpus=(H100,)))


def test_with_a_module_a_file_that_is_missing_is_a_change(tmp_path: Path) -> None:
    versions = {"libcuda1": "535.1-1", "open-dkms": "535.1-1", "persistenced": "1-1"}
    there = Node({name: Installed(version, held=True) for name, version in versions.items()}, KERNEL, has_headers=True, gpus=[])
    blacklist = tmp_path / "nouveau.conf"
    asked = request(module=MODULE, files=[str(blacklist)])
    assert plan(asked, there)["converged"] is False
    blacklist.touch()
    assert plan(asked, there) == {"converged": True, "version": "535.1", "flavour": "open"}


def test_what_stops_the_plan_is_an_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_plan, "look", lambda _: node())
    answer = driver_plan.main(request(version="580"))
    assert answer["converged"] is False
    assert answer["error"].startswith("Found 535.2; 535.1 in the node's package sources.")
