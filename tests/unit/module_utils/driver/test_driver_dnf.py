"""The plan with dnf, and what it reads of dnf and rpm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.driver import dnf_files, module_streams, plan_dnf, versionlock
from ansible_collections.gpu.fleet.plugins.module_utils.driver import plan as planning
from ansible_collections.gpu.fleet.plugins.module_utils.driver.dnf_transaction import Step, kernels, parse_transaction
from ansible_collections.gpu.fleet.plugins.module_utils.driver.installed import Installed
from ansible_collections.gpu.fleet.plugins.module_utils.driver.node import Node
from ansible_collections.gpu.fleet.plugins.module_utils.driver.offers import ORDINARY, Offers
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.repository import Repository
from ansible_collections.gpu.fleet.plugins.module_utils.driver.request import Request
from ansible_collections.gpu.fleet.plugins.module_utils.driver.rpm_installed import parse_rpm
from ansible_collections.gpu.fleet.plugins.module_utils.driver.strangers import Own, refuse_strangers
from ansible_collections.gpu.fleet.plugins.module_utils.driver.system import System
from unit.module_utils.driver.test_driver_packages import KNOWN

CAPTURED = Path(__file__).parent / "captured"
KERNEL = "5.14.0-427.el9.x86_64"
REPOSITORY = Repository("https://mirror.example/compute/cuda/repos/rhel9/x86_64", "https://mirror.example/key", "A" * 40)


def captured(name: str) -> str:
    return (CAPTURED / name).read_text(encoding="utf-8")


def test_a_transaction_is_read_with_long_rows_and_what_is_replaced() -> None:
    steps = parse_transaction(captured("dnf-4.14.0-install.txt"))
    assert Step("Installing", "kmod-nvidia-latest-dkms", "3:580.82.07-1.el9.x86_64", "gpu-fleet-nvidia-driver") in steps
    assert Step("Upgrading", "nvidia-kmod-common", "3:580.82.07-1.el9.noarch", "gpu-fleet-nvidia-driver") in steps
    assert {step.name for step in steps if step.removes} == {"kmod-nvidia-open-dkms", "nvidia-fabric-manager"}
    assert len(steps) == 11


def test_a_kernel_that_comes_along_is_told() -> None:
    steps = parse_transaction(captured("dnf-4.14.0-install.txt"))
    assert kernels(steps) == ["6.12.0-1.el9.x86_64"]
    assert kernels([Step("Installing", "kernel-devel", "0:6.12.0-1.el9.x86_64")]) == []


THERE = {
    "libnvidia-compute-580": "580.95.05-0ubuntu1",
    "libnvidia-gl-580": "580.95.05-0ubuntu1",
    "nvidia-persistenced": "580.95.05-1",
    "linux-image-generic": "6.8.0-60.60",
    "nvidia-container-toolkit": "1.17.8-1",
    "libnvidia-container1": "1.17.8-1",
    "nvidia-docker2": "2.13.0-1",
    "cuda-toolkit-12-6": "12.6.3-1",
    "cuda-compat-13-0": "580.95.05-0ubuntu1",
    "slurmd": "24.11-1",
}
OWN = Own(
    [rule for source in KNOWN["Ubuntu-24"].sources.values() for rule in source.rules],
    {name: Installed(version, held=False) for name, version in THERE.items()},
)
OF_THE_DRIVER = {
    "libnvidia-compute-580",
    "libnvidia-compute-570-server:i386",
    "libnvidia-gl-580",
    "nvidia-persistenced",
    "linux-modules-nvidia-570-server-open-6.8.0-60-generic",
    "nvidia-modules-open-6.8.0-60-generic",
}


def test_what_is_the_drivers_own_may_go() -> None:
    refuse_strangers(OF_THE_DRIVER, OWN)


@pytest.mark.parametrize("name", sorted({*THERE} - OF_THE_DRIVER))
def test_strangers_stay_though_they_are_nvidias_too(name: str) -> None:
    with pytest.raises(Refusal, match=rf"would remove {name}\."):
        refuse_strangers(["libnvidia-compute-580", name], OWN)


def test_streams_are_read() -> None:
    streams = module_streams.parse_streams(captured("dnf-4.14.0-module-list.txt"), "nvidia-driver")
    assert streams == ["570-dkms", "570-open", "580-dkms", "580-open", "590-dkms", "590-open"]
    with pytest.raises(Refusal, match=r"Found the streams 570-dkms .* Expected stream 600-open"):
        module_streams.refuse_unknown("nvidia-driver:600-open", streams)
    with pytest.raises(Refusal, match="Found no stream of module nvidia-driver"):
        module_streams.refuse_unknown("nvidia-driver:580-open", [])


@pytest.mark.parametrize(("state", "stream"), [("enabled", "nvidia-driver:580-open"), ("disabled", "")])
def test_the_enabled_stream_is_known_without_dnf(tmp_path: Path, state: str, stream: str) -> None:
    assert module_streams.enabled(tmp_path, "nvidia-driver") == ""
    (tmp_path / "etc/dnf/modules.d").mkdir(parents=True)
    text = f"[nvidia-driver]\nname=nvidia-driver\nstream=580-open\nprofiles=\nstate={state}\n"
    (tmp_path / "etc/dnf/modules.d/nvidia-driver.module").write_text(text, encoding="utf-8")
    assert module_streams.enabled(tmp_path, "nvidia-driver") == stream


def test_what_is_installed_is_read_from_rpm_and_held_by_its_very_version() -> None:
    text = captured("rpm-4.18.0-list.txt")
    there = parse_rpm(text, ["libnvidia-ml-3:580.82.07-1.el9.*", "libnvidia-cfg-3:570.10-1.el9.*"], "x86_64")
    assert there["libnvidia-ml"] == Installed("3:580.82.07-1.el9.x86_64", held=True)
    assert there["libnvidia-cfg"] == Installed("3:580.82.07-1.el9.x86_64", held=False)
    assert there["nvidia-kmod-common"].version == "3:580.82.07-1.el9.noarch"
    assert "gpg-pubkey" not in there


def test_a_lock_that_allows_another_version_too_holds_nothing() -> None:
    locks = [f"libnvidia-ml-3:{version}-1.el9.*" for version in ("580.82.07", "590.48.01")]
    assert not parse_rpm(captured("rpm-4.18.0-list.txt"), locks, "x86_64")["libnvidia-ml"].held


def test_kernels_side_by_side_are_found_by_version_and_other_architectures_are_not() -> None:
    text = "kernel-devel 0:5.14.0-362.el9.x86_64\nkernel-devel 0:5.14.0-427.el9.x86_64\nlibnvidia-ml 3:580.10-1.el9.i686\n"
    there = parse_rpm(text, [], "x86_64")
    assert {"kernel-devel-5.14.0-362.el9.x86_64", "kernel-devel-5.14.0-427.el9.x86_64"} <= there.keys()
    assert "libnvidia-ml" not in there


def test_the_list_of_locks_is_where_the_plug_in_says(tmp_path: Path) -> None:
    assert versionlock.list_path(tmp_path) == tmp_path / "etc/dnf/plugins/versionlock.list"
    (tmp_path / "etc/dnf/plugins").mkdir(parents=True)
    (tmp_path / "etc/dnf/plugins/versionlock.conf").write_text("[main]\nlocklist = /etc/locks\n", encoding="utf-8")
    assert versionlock.list_path(tmp_path) == tmp_path / "etc/locks"


def test_locks_are_known_by_their_package() -> None:
    line = versionlock.entry("nvidia-driver-cuda", "3:580.82.07-1.el9.x86_64")
    assert line == "nvidia-driver-cuda-3:580.82.07-1.el9.*"
    lines = versionlock.parse_list(f"\n# Added lock\n{line}\n!kernel-0:5.14-1.el9.*\nbash\n")
    assert [versionlock.package_in(one) for one in lines] == [("nvidia-driver-cuda", "3:580.82.07-1.el9"), ("", ""), ("", "")]


def test_another_source_for_the_same_repository_is_found_unless_it_is_off() -> None:
    other = "[cuda]\nbaseurl=https://developer.download.nvidia.com/compute/cuda/repos/rhel9/x86_64\nenabled={}\n"
    assert dnf_files.in_the_way({"/etc/yum.repos.d/cuda.repo": other.format(1)}, REPOSITORY) == ["/etc/yum.repos.d/cuda.repo"]
    assert dnf_files.in_the_way({"/etc/yum.repos.d/cuda.repo": other.format(0), "x.repo": "nonsense"}, REPOSITORY) == []
    assert dnf_files.in_the_way({str(dnf_files.SOURCE): dnf_files.section(REPOSITORY)}, REPOSITORY) == []
    with pytest.raises(Refusal, match="with other repositories"):
        dnf_files.in_the_way({"all.repo": other.format(1) + "[epel]\nbaseurl=http://mirror.example/epel\n"}, REPOSITORY)


def test_a_repository_without_a_known_key_is_refused() -> None:
    with pytest.raises(Refusal, match=r"Found no fingerprint .* set nvidia_driver_repository_key_fingerprint"):
        replace(REPOSITORY, fingerprint="").key(lambda _: b"")


STREAMS = {
    "nvidia-driver:580-open": {"ml": ["580.20", "580.10"], "open-dkms": ["580.10"], "common": ["580.20", "580.10"]},
    "nvidia-driver:580-dkms": {"ml": ["580.20", "580.10"], "latest-dkms": ["580.20", "580.10"], "common": ["580.20", "580.10"]},
}


def exact(version: str) -> str:
    return f"3:{version}-1.el9.x86_64"


class FakeDnf:
    """What the sources offer, without dnf."""

    node = Path("/nowhere")
    locks: ClassVar[list[str]] = []
    files: ClassVar[dict[str, str]] = {}

    def __init__(self, root: Path) -> None:
        self.root = root
        self.stream = ""
        self.locked: list[str] = []

    def sources(self) -> dict[str, str]:
        return self.files

    def write(self, path: str, text: str) -> None:
        assert path == str(dnf_files.SOURCE)
        assert "gpgcheck=1" in text

    def remove(self, path: str) -> None:
        assert path in self.files

    def enable(self, stream: str) -> None:
        module_streams.refuse_unknown(stream, [name.partition(":")[2] for name in STREAMS])
        self.stream = stream

    def lock(self, lines: list[str]) -> None:
        self.locked = lines

    def offers(self, architecture: str, *query: str) -> Offers:
        assert architecture == "x86_64"
        system = {"lock": ["4.7-1.el9.noarch"], "kernel-devel": [f"0:{KERNEL}"], "kernel-headers": [f"0:{KERNEL}"]}
        if query[0] == "--repo":
            return {name: [(exact(one), ORDINARY) for one in versions] for name, versions in STREAMS[self.stream].items()}
        return {name: [(versions[0], ORDINARY)] for name, versions in system.items() if any(asked.startswith(name) for asked in query)}

    def simulate(self, packages: list[str], _: Own) -> list[Step]:
        """Install what is named, and "common" at the version that is locked."""
        locked = [line.removeprefix("common-").replace("*", "x86_64") for line in self.locked if line.startswith("common-")]
        along = [Step("Installing dependencies", "common", version) for version in locked]
        return [Step("Installing", package) for package in packages] + along


def rule(name: str, **conditions: Any) -> dict[str, Any]:
    return {"names": [name], "source": "made up", **conditions}


SYSTEM = System.parse(
    "RedHat-9",
    {
        "default_branch": "580",
        "repository": "rhel9",
        "key": "key.pub",
        "key_fingerprint": "A" * 40,
        "streams": {"open": "nvidia-driver:{branch}-open", "proprietary": "nvidia-driver:{branch}-dkms"},
        "sources": {
            "nvidia": {
                "hold": "versionlock",
                "first_branch": 570,
                "packages": [
                    rule("lock", part="holding", own_version=True),
                    rule("ml"),
                    rule("gpucomp-{branch}", part="fabric"),
                    rule("common", part="module", first_branch=900),
                    rule("open-dkms", part="module", flavour="open"),
                    rule("latest-dkms", part="module", flavour="proprietary"),
                    rule("kernel-devel-{kernel}", part="headers", own_version=True),
                    rule("kernel-headers", part="headers", own_version=True),
                ],
            }
        },
    },
)
REQUEST = Request(SYSTEM, "nvidia")


@pytest.fixture(autouse=True)
def _dnf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_dnf, "ScratchDnf", FakeDnf)
    monkeypatch.setattr(FakeDnf, "locks", [])
    monkeypatch.setattr(FakeDnf, "files", {})


def plan(there: dict[str, Installed] | None = None, **changes: Any) -> dict[str, Any]:
    node = Node(there or {}, (KERNEL,))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Repository, "key", lambda *_: "the key")
        return planning.plan(replace(REQUEST, **changes), node, Path("/nowhere"), lambda _: b"")


def test_a_bare_node_gets_stream_files_packages_and_locks() -> None:
    planned = plan()
    assert (planned["version"], planned["stream"], planned["available"]) == ("580.20", "nvidia-driver:580-open", ["580.20", "580.10"])
    assert (planned["first"], planned["packages"]) == (["lock"], [f"common-{exact('580.20')}", f"ml-{exact('580.20')}"])
    assert [file["path"] for file in planned["files"]] == [
        f"/etc/pki/rpm-gpg/RPM-GPG-KEY-gpu-fleet-nvidia-{'A' * 16}",
        str(dnf_files.SOURCE),
    ]
    assert planned["release"] == []


def test_what_comes_along_has_the_drivers_version_and_is_held() -> None:
    """nvidia-kmod-common wants any nvidia-modprobe, so that the newest would come with an older driver."""
    assert plan(version="580.10")["hold"] == ["common-3:580.10-1.el9.*", "ml-3:580.10-1.el9.*"]


def test_the_flavour_decides_the_stream() -> None:
    planned = plan(flavour="auto")
    assert (planned["flavour"], planned["version"], planned["stream"]) == ("proprietary", "580.20", "nvidia-driver:580-dkms")
    planned = plan(flavour="open")
    assert (planned["flavour"], planned["version"], planned["stream"]) == ("open", "580.10", "nvidia-driver:580-open")
    drivers = [f"{name}-{exact('580.10')}" for name in ("common", "ml", "open-dkms")]
    assert planned["packages"] == [*drivers, f"kernel-devel-{KERNEL}", "kernel-headers"]


def test_a_version_or_a_branch_that_is_not_there_is_refused() -> None:
    with pytest.raises(Refusal, match=r"Found 580\.20; 580\.10 in .* Expected all driver packages at 580\.99"):
        plan(version="580.99")
    with pytest.raises(Refusal, match="Expected stream 590-open"):
        plan(version="590")


def test_another_version_replaces_its_own_locks_and_leaves_those_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    others = ["slurm-0:24.05-1.el9.*", "!kernel-0:6.0-1.el9.*"]
    old = ["ml-3:580.10-1.el9.*", "common-3:580.10-1.el9.*"]
    monkeypatch.setattr(FakeDnf, "locks", [*others, *old])
    there = {
        "ml": Installed(exact("580.10"), held=True),
        "common": Installed(exact("580.10"), held=True),
        "lock": Installed("1", held=False),
    }
    planned = plan(there, version="580.20")
    assert (planned["release"], planned["first"]) == (old, [])
    assert planned["hold"] == ["common-3:580.20-1.el9.*", "ml-3:580.20-1.el9.*"]


def test_what_is_of_another_driver_is_brought_to_the_version() -> None:
    """An installation that was cut off, or somebody by hand, leaves such a mixture."""
    there = {"ml": Installed(exact("580.10"), held=True), "common": Installed(exact("580.20"), held=True)}
    assert plan({**there, "python3": Installed("0:3.9-1.el9.x86_64", held=False)}, version="580.10")["packages"] == [
        f"common-{exact('580.10')}",
        f"ml-{exact('580.10')}",
    ]


def test_what_a_failed_installation_has_locked_is_locked_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newer version's lock of what comes along would let it come with the older driver."""
    left = ["ml-3:580.20-1.el9.*", "common-3:580.20-1.el9.*"]
    monkeypatch.setattr(FakeDnf, "locks", left)
    planned = plan(version="580.10")
    assert (planned["hold"], planned["release"]) == (["common-3:580.10-1.el9.*", "ml-3:580.10-1.el9.*"], left)


def test_what_came_along_goes_to_the_new_version_too_and_what_that_lacks_goes() -> None:
    there = {name: Installed(exact("580.10"), held=True) for name in ("ml", "common", "gpucomp-580", "cuda-compat-13-0", "desktop")}
    planned = plan({**there, "bash": Installed("0:5.1-1.el9.x86_64", held=False)}, version="580.20")
    assert planned["packages"] == [f"common-{exact('580.20')}", f"ml-{exact('580.20')}"]
    assert planned["remove"] == ["gpucomp-580"]


def test_the_other_flavour_of_the_module_does_not_follow() -> None:
    there = {name: Installed(exact("580.20"), held=True) for name in ("ml", "latest-dkms")}
    planned = plan(there, version="580.10", flavour="open")
    assert planned["packages"][1:3] == [f"ml-{exact('580.10')}", f"open-dkms-{exact('580.10')}"]
    assert planned["remove"] == ["latest-dkms"]


def test_a_repair_is_no_upgrade_even_where_the_version_has_vanished() -> None:
    there = Installed(exact("580.00"), held=False)
    planned = plan({"ml": there, "common": there})
    assert (planned["version"], planned["had"], planned["packages"]) == (
        "580.00",
        "580.00",
        [f"common-{exact('580.00')}", f"ml-{exact('580.00')}"],
    )
    assert planned["hold"] == ["common-3:580.00-1.el9.*", "ml-3:580.00-1.el9.*"]


def test_another_source_for_the_repository_is_refused_or_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "[cuda]\nbaseurl=https://developer.download.nvidia.com/compute/cuda/repos/rhel9/x86_64\n"
    monkeypatch.setattr(FakeDnf, "files", {"/etc/yum.repos.d/cuda.repo": text})
    with pytest.raises(Refusal, match="nvidia_driver_leftovers"):
        plan()
    assert plan(remove_leftovers=True)["disable"] == ["/etc/yum.repos.d/cuda.repo"]


def test_what_is_installed_is_asked_of_the_systems_own_package_manager(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []
    monkeypatch.setattr(planning, "look", lambda _, installed, _kernels: Node(installed, (KERNEL,)))
    monkeypatch.setattr(planning, "output", lambda *command: asked.append(command[0]) or f"ml {exact('580.10')}\n")
    (tmp_path / "etc/dnf/plugins").mkdir(parents=True)
    (tmp_path / "etc/dnf/plugins/versionlock.list").write_text("ml-3:580.10-1.el9.*\n", encoding="utf-8")
    monkeypatch.setattr(planning.os, "uname", lambda: SimpleNamespace(machine="x86_64"))
    answered = planning.answer(replace(REQUEST, version="580"), tmp_path, lambda _: b"")
    # Without what holds, it is not as it should be; with it, nothing is left to do.
    assert (asked, answered["converged"]) == (["rpm"], False)
    monkeypatch.setattr(planning, "output", lambda *_: f"ml {exact('580.10')}\nlock 0:4.7-1.el9.x86_64\n")
    left = planning.answer(replace(REQUEST, version="580"), tmp_path, lambda _: b"")
    assert (left["converged"], left["version"], left["interrupted"]) == (True, "580.10", False)


def test_only_locks_that_are_not_there_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is added is taken back where the installation fails: what was there before has to stay."""
    monkeypatch.setattr(FakeDnf, "locks", ["ml-3:580.10-1.el9.*"])
    there = Installed(exact("580.10"), held=False)
    planned = plan({"ml": there, "common": there}, version="580.10")
    assert (planned["hold"], planned["release"]) == (["common-3:580.10-1.el9.*"], [])
