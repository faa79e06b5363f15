"""The plan as a whole, and what the kernel module needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.driver import node as nodes
from ansible_collections.gpu.fleet.plugins.module_utils.driver import plan as planning
from ansible_collections.gpu.fleet.plugins.module_utils.driver.installed import Installed
from ansible_collections.gpu.fleet.plugins.module_utils.driver.node import Node, gpu_ids, kernel_kind
from ansible_collections.gpu.fleet.plugins.module_utils.driver.plan import Request, answer, plan
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.system import System

H100, B200 = 0x2330, 0x2901


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
def test_the_kind_of_a_kernel_names_the_headers_of_the_next(kernel: str, following: str) -> None:
    assert f"linux-headers-{kernel_kind(kernel)}" == following


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
    monkeypatch.setattr(planning, "ScratchApt", FakeApt)
    monkeypatch.setattr(FakeApt, "policy", POLICY)


def rule(name: str, **conditions: Any) -> dict[str, Any]:
    return {"names": [name], "source": "made up", **conditions}


SYSTEM = System.parse(
    "Debian-12",
    {
        "sources": {
            "archive": {
                "hold": "apt-mark",
                "packages": [
                    rule("libcuda1"),
                    rule("open-dkms", part="module", flavour="open"),
                    rule("prop-dkms", part="module", flavour="proprietary"),
                    rule("persistenced", part="persistence", own_version=True),
                    rule("linux-headers-{kernel}", part="headers", own_version=True),
                    rule("linux-headers-{kernel_kind}", part="headers", own_version=True),
                ],
            }
        }
    },
)
REQUEST = Request(SYSTEM, "archive", "", (), "", persistence=True, origin="Debian", components=("non-free",), files=())


def request(**changes: Any) -> Request:
    return replace(REQUEST, **changes)


def node(*, gpus: tuple[int, ...] = (), has_headers: bool = False, **versions: str) -> Node:
    return Node(
        {name: Installed(version, held=True) for name, version in versions.items()}, KERNEL, has_headers=has_headers, gpus=list(gpus)
    )


def test_a_node_as_it_should_be_is_left_without_a_look_at_the_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "ScratchApt", None)
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
    planned = plan(request(flavour="auto"), node(gpus=(H100,)))
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
    planned = plan(request(flavour="auto"), node(gpus=(B200,), has_headers=True))
    assert (planned["flavour"], planned["version"]) == ("open", "535.1")
    assert planned["packages"] == ["libcuda1=535.1-1", "open-dkms=535.1-1", "persistenced"]


def test_a_kernel_without_headers_is_refused() -> None:
    with pytest.raises(
        Refusal, match=rf"Found kernel {KERNEL} running, and no package .* Expected linux-headers-{KERNEL} .* Next step: boot a kernel"
    ):
        plan(request(flavour="auto"), node(gpus=(H100,)))


def test_with_a_module_a_file_that_is_missing_is_a_change(tmp_path: Path) -> None:
    versions = {"libcuda1": "535.1-1", "open-dkms": "535.1-1", "persistenced": "1-1"}
    there = Node({name: Installed(version, held=True) for name, version in versions.items()}, KERNEL, has_headers=True, gpus=[])
    blacklist = tmp_path / "nouveau.conf"
    asked = request(flavour="auto", files=(str(blacklist),))
    assert plan(asked, there)["converged"] is False
    blacklist.touch()
    assert plan(asked, there) == {"converged": True, "version": "535.1", "flavour": "open"}


def test_what_stops_the_plan_is_an_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "look", lambda _: node())
    refused = answer(request(version="580"), Path("/nowhere"))
    assert refused["converged"] is False
    assert refused["error"].startswith("Found 535.2; 535.1 in the node's package sources.")


def test_packages_asked_for_besides_have_the_drivers_version_and_are_held() -> None:
    planned = plan(request(extra_packages=("prop-dkms",)), node())
    assert planned["packages"] == ["libcuda1=535.2-1", "prop-dkms=535.2-1"]
    assert planned["hold"] == ["libcuda1", "prop-dkms"]


@pytest.mark.parametrize(
    ("architecture", "packages"), [("x86_64", ["libcuda1=535.2-1", "prop-dkms=535.2-1"]), ("aarch64", ["libcuda1=535.2-1"])]
)
def test_a_node_is_not_asked_for_what_its_architecture_lacks(architecture: str, packages: list[str]) -> None:
    """On bookworm and trixie libnvidia-pkcs11-openssl3 is not there for arm64, and the plan refused every such node."""
    rules = [rule("libcuda1"), rule("prop-dkms", architecture="x86_64")]
    some = System.parse("Debian-12", {"sources": {"archive": {"hold": "apt-mark", "packages": rules}}})
    assert plan(request(system=some), replace(node(), architecture=architecture))["packages"] == packages


def test_the_node_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(nodes, "output", lambda *_: "nvidia-smi 535.261.03-1 hi \n")
    monkeypatch.setattr("os.uname", lambda: SimpleNamespace(release="6.1.0-56-cloud-arm64", machine="aarch64"))
    seen = nodes.look(tmp_path)
    assert seen == Node(
        {"nvidia-smi": Installed("535.261.03-1", held=True)}, "6.1.0-56-cloud-arm64", has_headers=False, gpus=[], architecture="aarch64"
    )
