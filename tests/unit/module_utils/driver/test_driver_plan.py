"""The plan as a whole, and what the kernel module needs."""

from __future__ import annotations

import errno
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.driver import local, plan_apt
from ansible_collections.gpu.fleet.plugins.module_utils.driver import node as nodes
from ansible_collections.gpu.fleet.plugins.module_utils.driver import plan as planning
from ansible_collections.gpu.fleet.plugins.module_utils.driver.installed import Installed
from ansible_collections.gpu.fleet.plugins.module_utils.driver.node import Node, kernel_kind
from ansible_collections.gpu.fleet.plugins.module_utils.driver.plan import answer
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.request import Request
from ansible_collections.gpu.fleet.plugins.module_utils.driver.secure_boot import SecureBoot
from ansible_collections.gpu.fleet.plugins.module_utils.driver.strangers import Own
from ansible_collections.gpu.fleet.plugins.module_utils.driver.system import System
from ansible_collections.gpu.fleet.plugins.module_utils.driver.wish import Wish

H100, B200, V100 = 0x2330, 0x2901, 0x1DB6


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
        ("6.8.0-60-generic", "linux-headers-generic"),
    ],
)
def test_the_kind_of_a_kernel_names_the_headers_of_the_next(kernel: str, following: str) -> None:
    assert f"linux-headers-{kernel_kind(kernel)}" == following


def test_ubuntus_line_of_kernels_is_the_one_that_the_node_follows() -> None:
    assert kernel_kind("6.8.0-60-generic", ["linux-image-generic-hwe-22.04", "linux-image-6.8.0-60-generic"]) == "generic-hwe-22.04"
    assert kernel_kind("6.8.0-60-generic", ["linux-image-generic", "linux-image-6.8.0-60-generic"]) == "generic"


KERNEL, NEXT = "6.1.0-56-cloud-amd64", "6.1.0-60-cloud-amd64"
ARCHIVE = "http://mirror.example/debian"


def policy(**offers: list[str]) -> str:
    """Write what apt-cache says of packages, whose names have underscores here."""
    lines = []
    for name, versions in offers.items():
        lines.append(f"{name.replace('_', '-')}:")
        for version in versions:
            lines += [f"     {version} 500", f"        500 {ARCHIVE} bookworm/main amd64 Packages"]
    return "\n".join(lines) + "\n"


POLICY = policy(libcuda1=["535.20-1", "535.10-1"], prop_dkms=["535.20-1", "535.10-1"], open_dkms=["535.10-1"], persistenced=["1-1"])
HEADERS = policy(**{f"linux-headers-{KERNEL}": ["6.1.1-1"], "linux-headers-cloud-amd64": ["6.1.2-1"]})
NEXT_HEADERS = policy(**{f"linux-headers-{NEXT}": ["6.1.2-1"]})


class FakeApt:
    """What the sources offer, without apt."""

    policy = POLICY
    files: ClassVar[dict[str, str]] = {}
    refused: ClassVar[set[str]] = set()

    def __init__(self, root: Path) -> None:
        self.root = root
        self.pinned = ""

    def sources(self) -> dict[str, str]:
        return self.files

    def archive(self, origin: str) -> set[tuple[str, str]]:
        assert origin == "Debian"
        return {(ARCHIVE, "bookworm")}

    def write(self, path: str, text: str) -> None:
        assert path in self.files
        assert text

    def update(self, places: set[str]) -> None:
        assert places == {ARCHIVE}

    def run(self, *command: str) -> str:
        assert command[:2] == ("apt-cache", "policy")
        return self.policy

    def simulate(self, packages: list[str], _: Own) -> list[str]:
        return [f"Inst {package}" for package in packages]

    def idle(self, _: list[str]) -> list[str]:
        return []

    def agrees(self, packages: list[str]) -> bool:
        return not self.refused & {*packages}

    def exactly(self, name: str, version: str) -> list[str]:
        return [f"{each}={version}" for each in (name, name.replace("modules", "objects"))]


@pytest.fixture(autouse=True)
def _apt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_apt, "ScratchApt", FakeApt)
    monkeypatch.setattr(FakeApt, "policy", POLICY)
    monkeypatch.setattr(FakeApt, "files", {})
    monkeypatch.setattr(FakeApt, "refused", set())


def plan(request: Request, node: Node, root: Path = Path("/nowhere")) -> dict[str, Any]:
    return planning.plan(request, node, root, lambda _: b"")


def rule(name: str, **conditions: Any) -> dict[str, Any]:
    return {"names": [name], "source": "made up", **conditions}


SYSTEM = System.parse(
    "Debian-12",
    {
        "sources": {
            "archive": {
                "hold": "apt-mark",
                "origin": "Debian",
                "components": ["non-free"],
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
REQUEST = Request(SYSTEM, "archive")


def request(**changes: Any) -> Request:
    return replace(REQUEST, **changes)


def node(*, gpus: tuple[int, ...] = (), has_headers: bool = False, **versions: str) -> Node:
    there = {name.replace("_", "-"): Installed(version, held=True) for name, version in versions.items()}
    return Node(there, (KERNEL,), frozenset([KERNEL] if has_headers else []), gpus)


def test_a_node_as_it_should_be_is_left_without_a_look_at_the_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_apt, "ScratchApt", None)
    left = {"converged": True, "version": "535.10", "had": "535.10", "flavour": "", "units": [], "fabric": "none"}
    assert plan(request(version="535"), node(libcuda1="535.10-1")) == left


def test_a_bare_node_gets_the_newest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sources = tmp_path / "sources.list"
    sources.touch(mode=0o640)
    monkeypatch.setattr(FakeApt, "files", {str(sources): f"deb {ARCHIVE} bookworm main\n"})
    planned = plan(request(), node())
    assert planned["packages"] == ["libcuda1=535.20-1"]
    assert planned["hold"] == ["libcuda1"]
    assert planned["places"] == [ARCHIVE]
    assert planned["changes"] == ["Inst libcuda1=535.20-1"]
    assert (planned["had"], planned["available"]) == ("", ["535.20", "535.10"])
    assert planned["files"] == [{"path": str(sources), "text": f"deb {ARCHIVE} bookworm main non-free\n", "mode": "0640"}]


def test_another_exact_version_is_a_change() -> None:
    assert plan(request(version="535.20"), node(libcuda1="535.10-1"))["packages"] == ["libcuda1=535.20-1"]


def test_a_package_that_is_not_held_is_a_change_but_no_upgrade() -> None:
    planned = plan(request(), Node({"libcuda1": Installed("535.10-1", held=False)}, (KERNEL,)))
    assert (planned["packages"], planned["had"]) == (["libcuda1=535.10-1"], "535.10")


def test_what_vanished_from_the_sources_is_kept_while_it_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = "     535.00-1 100\n        100 /var/lib/dpkg/status\n"
    monkeypatch.setattr(FakeApt, "policy", POLICY.replace("prop-dkms", f"{gone}prop-dkms"))
    assert plan(request(), Node({"libcuda1": Installed("535.00-1", held=False)}, (KERNEL,)))["packages"] == ["libcuda1=535.00-1"]


def test_the_version_of_the_fleet_is_taken_and_another_refused() -> None:
    agreed = request(version="535", fleet_version="535.10")
    assert plan(agreed, node())["packages"] == ["libcuda1=535.10-1"]
    with pytest.raises(Refusal, match=r"Found driver 535\.20 on this node, and 535\.10 on the others that are asked for 535\."):
        plan(agreed, node(libcuda1="535.20-1"))


def test_with_a_module_come_its_headers_and_companions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeApt, "policy", POLICY + HEADERS)
    planned = plan(request(flavour="auto"), node(gpus=(H100,)))
    assert (planned["flavour"], planned["units"]) == ("proprietary", ["nvidia-persistenced"])
    assert planned["packages"] == [
        "libcuda1=535.20-1",
        "prop-dkms=535.20-1",
        "persistenced",
        f"linux-headers-{KERNEL}",
        "linux-headers-cloud-amd64",
    ]
    assert planned["hold"] == ["libcuda1", "prop-dkms"]


def test_what_links_the_gpus_runs_and_imex_only_where_its_nodes_are_listed(tmp_path: Path) -> None:
    linked = replace(node(gpus=(H100,)), fabric="nvswitch")
    within = ["nvidia-persistenced", "nvidia-fabricmanager"]
    assert Wish(request(flavour="auto"), linked).units(tmp_path) == within
    nodes = tmp_path / "etc/nvidia-imex/nodes_config.cfg"
    nodes.parent.mkdir(parents=True)
    nodes.write_text("# one address in a line\n\n")
    assert Wish(request(flavour="auto"), linked).units(tmp_path) == within
    nodes.write_text("# one address in a line\n10.0.0.1\n10.0.0.2\n")
    assert Wish(request(flavour="auto"), linked).units(tmp_path) == [*within, "nvidia-imex"]
    assert Wish(request(flavour="auto", fabric="none"), linked).units(tmp_path) == ["nvidia-persistenced"]


def test_the_kernel_that_boots_next_gets_its_headers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node with a newer kernel that waits for its first boot would come back without a module."""
    waiting = replace(node(gpus=(H100,), has_headers=True), kernels=(KERNEL, NEXT))
    monkeypatch.setattr(FakeApt, "policy", POLICY + HEADERS + NEXT_HEADERS)
    assert plan(request(flavour="auto"), waiting)["packages"][3:] == [f"linux-headers-{NEXT}", "linux-headers-cloud-amd64"]
    monkeypatch.setattr(FakeApt, "policy", POLICY + HEADERS)
    with pytest.raises(Refusal, match=rf"Found kernel {NEXT} starting at the next boot, and no package with its headers"):
        plan(request(flavour="auto"), waiting)


def test_gpus_that_need_a_flavour_and_a_branch_decide_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = plan(request(flavour="auto"), node(gpus=(V100,), has_headers=True))
    assert (planned["flavour"], planned["version"]) == ("proprietary", "535.20")
    with pytest.raises(Refusal, match=r"Found driver 535\.10 for a GPU of PCI device id 0x2901 .*, which is 570 or later"):
        plan(request(flavour="auto"), node(gpus=(B200,), has_headers=True))
    newer = policy(libcuda1=["575.10-1", "535.20-1"], open_dkms=["575.10-1", "535.20-1"], persistenced=["1-1"])
    monkeypatch.setattr(FakeApt, "policy", newer)
    planned = plan(request(flavour="auto"), node(gpus=(B200,), has_headers=True))
    assert (planned["flavour"], planned["version"], planned["available"]) == ("open", "575.10", ["575.10"])


def test_a_kernel_without_headers_is_refused() -> None:
    with pytest.raises(
        Refusal, match=rf"Found kernel {KERNEL} running, and no package .* Expected linux-headers-{KERNEL} .* Next step: boot a kernel"
    ):
        plan(request(flavour="auto"), node(gpus=(H100,)))


def test_modules_that_nobody_signed_are_refused_under_secure_boot_before_anything_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_apt, "ScratchApt", None)
    with pytest.raises(Refusal, match="Found Secure Boot, which lets the kernel load no module"):
        plan(request(flavour="auto"), replace(node(gpus=(H100,)), secure_boot=SecureBoot(enabled=True)))


def test_with_a_module_a_file_that_is_missing_is_a_change(tmp_path: Path) -> None:
    there = node(has_headers=True, libcuda1="535.10-1", open_dkms="535.10-1", persistenced="1-1")
    asked = request(flavour="auto", files=("/etc/nouveau.conf",))
    assert plan(asked, there, tmp_path)["converged"] is False
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "nouveau.conf").touch()
    left = plan(asked, there, tmp_path)
    assert (left["converged"], left["version"], left["flavour"]) == (True, "535.10", "open")


def test_what_stops_the_plan_is_an_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "look", lambda *_: node())
    monkeypatch.setattr(planning, "output", lambda *_: "libcuda1 535.20-1 amd64 iF \n")
    refused = answer(request(version="580"), Path("/nowhere"), lambda _: b"")
    assert (refused["converged"], refused["asked"]) == (False, "580")
    assert refused["error"].startswith("Found 535.20; 535.10 in the node's package sources.")


def test_packages_asked_for_besides_have_the_drivers_version_and_are_held() -> None:
    planned = plan(request(extra_packages=("prop-dkms",)), node())
    assert planned["packages"] == ["libcuda1=535.20-1", "prop-dkms=535.20-1"]
    assert planned["hold"] == ["libcuda1", "prop-dkms"]


@pytest.mark.parametrize(
    ("architecture", "packages"), [("x86_64", ["libcuda1=535.20-1", "prop-dkms=535.20-1"]), ("aarch64", ["libcuda1=535.20-1"])]
)
def test_a_node_is_not_asked_for_what_its_architecture_lacks(architecture: str, packages: list[str]) -> None:
    """On bookworm and trixie libnvidia-pkcs11-openssl3 is not there for arm64, and the plan refused every such node."""
    rules = [rule("libcuda1"), rule("prop-dkms", architecture="x86_64")]
    data = {"sources": {"archive": {"hold": "apt-mark", "origin": "Debian", "packages": rules}}}
    some = System.parse("Debian-12", data)
    assert plan(request(system=some), replace(node(), architecture=architecture))["packages"] == packages


def devices(root: Path, *entries: tuple[str, str, str, str]) -> None:
    for name, *texts in entries:
        folder = root / "sys/bus/pci/devices" / name
        folder.mkdir(parents=True)
        for attribute, text in zip(("vendor", "class", "device"), texts, strict=True):
            (folder / attribute).write_text(text + "\n", encoding="utf-8")


def test_the_node_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.uname", lambda: SimpleNamespace(release=KERNEL, machine="aarch64"))
    devices(
        tmp_path,
        ("0000:1b:00.0", "0x10de", "0x030200", "0x2330"),
        ("0000:1b:00.1", "0x10de", "0x040300", "0x22ba"),
        ("0000:06:00.0", "0x1a03", "0x030000", "0x2000"),
    )
    (tmp_path / "lib/modules" / NEXT / "build").mkdir(parents=True)
    (tmp_path / "lib/modules" / NEXT / "vmlinuz").touch()
    assert nodes.look(tmp_path, {}) == Node({}, (KERNEL, NEXT), frozenset([NEXT]), (H100,), "none", "aarch64")
    devices(tmp_path, ("0000:05:00.0", "0x10de", "0x068000", "0x22a3"))
    assert nodes.look(tmp_path, {}).fabric == "nvswitch"


def test_the_kernels_of_an_image_are_not_those_of_the_machine_that_makes_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.uname", lambda: SimpleNamespace(release=KERNEL, machine="x86_64"))
    devices(tmp_path)
    (tmp_path / "sys/bus/pci/devices").mkdir(parents=True)
    (tmp_path / "lib/modules" / NEXT / "build").mkdir(parents=True)
    assert nodes.look(tmp_path, {}, (NEXT,)) == Node({}, (NEXT,), frozenset([NEXT]))


def test_switches_of_nvlink_5_are_known_by_a_network_adapter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.uname", lambda: SimpleNamespace(release=KERNEL, machine="x86_64"))
    devices(tmp_path, ("0000:1b:00.0", "0x10de", "0x030200", "0x2901"))
    for name, product in (("mlx5_0", b"\x82\x10\x00ConnectX-7"), ("mlx5_4", b"\x82\x10\x00CX7 SW_MNG")):
        (tmp_path / "sys/class/infiniband" / name / "device").mkdir(parents=True)
        assert nodes.look(tmp_path, {}).fabric == "none"
        (tmp_path / "sys/class/infiniband" / name / "device/vpd").write_bytes(product)
    assert nodes.look(tmp_path, {}).fabric == "nvlink5"


def test_a_bus_that_cannot_be_read_is_no_node_without_gpus(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="Found a PCI bus that cannot be read"):
        nodes.look(tmp_path, {})


def test_a_bare_node_has_its_kernels_and_nothing_of_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    image = f"linux-image-{KERNEL}"
    here = Node({"libcuda1": Installed("535.10-1", held=True), image: Installed("1", held=False)}, (KERNEL,), frozenset([KERNEL]), (H100,))
    assert here.bare() == Node({image: Installed("1", held=False)}, (KERNEL,), gpus=(H100,))
    seen: list[Node] = []
    monkeypatch.setattr(planning, "look", lambda *_: here)
    monkeypatch.setattr(planning, "output", lambda *_: "")
    monkeypatch.setattr(planning, "plan", lambda _request, node, *_: seen.append(node) or {})
    answer(replace(request(), bare=True), Path("/nowhere"), fetch=lambda _: b"")
    answer(request(), Path("/nowhere"), fetch=lambda _: b"")
    assert seen == [here.bare(), here]


def test_what_a_version_has_under_another_name_makes_way_for_it() -> None:
    """NVIDIA's packages lost the branch in their names with 590, and held ones of 580 kept them out."""
    rules = [
        rule("libnvidia-compute-{branch}", before_branch=590),
        rule("libnvidia-compute", first_branch=590),
        rule("nvidia-dkms-{branch}-open", part="module", flavour="open", before_branch=590),
        rule("nvidia-driver-pinning-{version}", part="pinning"),
    ]
    system = System.parse("Ubuntu-24", {"sources": {"nvidia": {"hold": "apt-mark", "packages": rules}}, "repository": "ubuntu2404"})
    there = node(
        libnvidia_compute_580="580.10-1", nvidia_dkms_580_open="580.10-1", bash="5.2", **{"nvidia-driver-pinning-580.10": "580.10-1"}
    )
    wish = Wish(Request(system, "nvidia", version="590.20"), there)
    assert wish.outgrown("590.20", "open", ["libnvidia-compute"]) == ["libnvidia-compute-580"]
    assert wish.outgrown("580.10", "open", ["libnvidia-compute-580"]) == []
    assert wish.outgrown("590.20", "open", ["nvidia-driver-pinning-590.20"], pinning=True) == ["nvidia-driver-pinning-580.10"]
    managed = Wish(replace(wish.request, flavour="open"), there)
    assert managed.outgrown("590.20", "open", ["libnvidia-compute"]) == ["libnvidia-compute-580", "nvidia-dkms-580-open"]
    # The other flavour's, held at the same version, would keep this one's out.
    assert managed.outgrown("580.10", "proprietary", ["libnvidia-compute-580"]) == ["nvidia-dkms-580-open"]


def test_what_only_the_former_version_needed_goes_with_it() -> None:
    """The library of 590 brings nvidia-modprobe, which without a kernel module nothing of 580 asks for: it would stay at 590."""
    rules = [rule("libnvidia-compute-{branch}"), rule("nvidia-modprobe", part="module"), rule("nvlsm", part="nvlink5", own_version=True)]
    system = System.parse("Ubuntu-24", {"sources": {"nvidia": {"hold": "apt-mark", "packages": rules}}, "repository": "ubuntu2404"})
    wish = Wish(Request(system, "nvidia", version="580.10"), node(nvidia_modprobe="590.20-1", nvlsm="2025.1-1", libfoo="1.0"))
    assert wish.came_along("580.10", ["nvidia-modprobe", "nvlsm", "libfoo"]) == ["nvidia-modprobe"]
    assert wish.came_along("590.20", ["nvidia-modprobe"]) == []
    assert wish.came_along("580.10", []) == []


def test_the_answer_says_what_the_module_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    there = node(libcuda1="535.10-1", open_dkms="535.10-1", persistenced="1-1", has_headers=True)
    monkeypatch.setattr(planning, "look", lambda *_: there)
    monkeypatch.setattr(planning, "output", lambda *_: "")
    archive = replace(SYSTEM.sources["archive"], module_names={"open": "nvidia-current-open"})
    some = replace(SYSTEM, sources={"archive": archive})
    assert answer(request(system=some, flavour="auto"), Path("/nowhere"), lambda _: b"")["module_names"] == ["nvidia-current-open"]
    with pytest.raises(ValueError, match="found module_names of opened, expected of open or proprietary"):
        replace(archive, module_names={"opened": "nvidia"})


COMPILED = rule("modules-{branch}-{kernel}", part="module", own_version=True, held=True)
OF_ALL_KERNELS = rule("modules-{branch}-{kernel_kind}", part="module", own_version=True, held=True)
OF_OTHERS = rule("modules-{branch}-prop-{kernel}", part="module", flavour="proprietary", own_version=True, held=True)
UBUNTU = System.parse(
    "Debian-12",
    {
        "sources": {
            "archive": {
                "hold": "apt-mark",
                "origin": "Debian",
                "signed": True,
                "packages": [rule("libcuda1"), {**COMPILED, "flavour": "open"}, {**OF_ALL_KERNELS, "flavour": "open"}, OF_OTHERS],
            }
        },
        "default_branch": "535",
    },
)
MODULE, NEXT_MODULE = f"modules-535-{KERNEL}", "modules-535-cloud-amd64"


def compiled(monkeypatch: pytest.MonkeyPatch, wanted: str, refused: set[str]) -> dict[str, Any]:
    """Plan for a node with the archive's modules for 535.10, for another kernel too, where some specifications do not agree."""
    offers = policy(libcuda1=["535.20-1", "535.10-1"], **{MODULE: ["6.1+2", "6.1+1", "6.1"], NEXT_MODULE: ["6.1+2", "6.1+1"]})
    monkeypatch.setattr(FakeApt, "policy", offers)
    monkeypatch.setattr(FakeApt, "refused", refused)
    there = node(gpus=(H100,), libcuda1="535.10-1", **{MODULE: "6.1", NEXT_MODULE: "6.1", f"modules-535-{NEXT}": "6.1"})
    return plan(request(system=UBUNTU, flavour="open", version=wanted, files=("/missing",)), there)


def test_compiled_modules_change_with_the_driver_though_they_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """They depend on just one version of the driver: who does not name them is refused any other for ever."""
    planned = compiled(monkeypatch, "535.20", set())
    assert planned["packages"] == ["libcuda1=535.20-1", MODULE, NEXT_MODULE]
    assert planned["remove"] == [f"modules-535-{NEXT}"]
    assert {MODULE, NEXT_MODULE} <= {*planned["hold"]}


def test_compiled_modules_are_the_newest_that_fit_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = compiled(monkeypatch, "535.20", {MODULE, f"{MODULE}=6.1+2"})
    objects = [f"{name.replace('modules', 'objects')}" for name in (MODULE, NEXT_MODULE)]
    both = [(MODULE, "6.1+1"), (objects[0], "6.1+1"), (NEXT_MODULE, "6.1+2"), (objects[1], "6.1+2")]
    assert planned["packages"] == ["libcuda1=535.20-1", *(f"{name}={version}" for name, version in both)]


def test_a_repair_changes_no_compiled_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = compiled(monkeypatch, "535.10", set())
    assert (planned["packages"], planned["remove"]) == (["libcuda1=535.10-1"], [])


def test_compiled_modules_of_the_other_flavour_go(monkeypatch: pytest.MonkeyPatch) -> None:
    other = f"modules-535-prop-{KERNEL}"
    monkeypatch.setattr(FakeApt, "policy", policy(libcuda1=["535.10-1"], **{other: ["6.1"]}))
    there = node(gpus=(H100,), libcuda1="535.10-1", **{MODULE: "6.1", NEXT_MODULE: "6.1"})
    planned = plan(request(system=UBUNTU, flavour="proprietary", version="535.10"), there)
    assert (planned["packages"], planned["remove"]) == (["libcuda1=535.10-1", other], sorted([MODULE, NEXT_MODULE]))


def test_a_journal_that_dpkg_left_is_an_interruption_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The list says nothing of it, and apt would only say that dpkg has to be called first."""
    monkeypatch.setattr(planning, "look", lambda *_: node())
    monkeypatch.setattr(planning, "output", lambda *_: "libcuda1 535.20-1 amd64 ii \n")
    updates = tmp_path / "var/lib/dpkg/updates"
    updates.mkdir(parents=True)
    (updates / "tmp.i").touch()
    assert answer(request(), tmp_path, lambda _: b"")["interrupted"] is False
    (updates / "0003").touch()
    assert answer(request(), tmp_path, lambda _: b"")["interrupted"] is True


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/var/tmp/x"), r"Found no space left .*\. Expected some 500 MB free in /var/tmp"),
        (
            shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")]),
            r"Found no space left .* Next step: free what `df -h /var/tmp`",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No such file", "dpkg-query"),
            r"Found that the node cannot be looked at .*dpkg-query.*\. Expected",
        ),
    ],
)
def test_a_node_that_cannot_be_looked_at_says_what_to_do(monkeypatch: pytest.MonkeyPatch, error: OSError, said: str) -> None:
    def output(*_: str) -> str:
        raise error

    monkeypatch.setattr(planning, "output", output)
    assert re.match(said, answer(request(), Path("/nowhere"), lambda _: b"")["error"])


def test_a_command_that_does_not_end_is_refused() -> None:
    with pytest.raises(Refusal, match=r"Found that `sleep 9` did not end within 0 s\. Expected an answer\. Next step: "):
        local.run("sleep", "9", timeout=0.1)


def test_the_copy_of_apts_lists_is_not_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []
    monkeypatch.setattr(FakeApt, "__init__", lambda _self, root: seen.append(root))
    plan(request(), node())
    assert seen[0].parent == Path("/var/tmp")
