"""One node compiles the kernel module, the others install what came of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.driver import fit, plan_apt
from ansible_collections.gpu.fleet.plugins.module_utils.driver import plan as planning
from ansible_collections.gpu.fleet.plugins.module_utils.driver.installed import Installed
from ansible_collections.gpu.fleet.plugins.module_utils.driver.module_cache import share
from ansible_collections.gpu.fleet.plugins.module_utils.driver.module_package import DkmsPackage, Provenance, control, package_name
from ansible_collections.gpu.fleet.plugins.module_utils.driver.node import Node
from ansible_collections.gpu.fleet.plugins.module_utils.driver.packages import Choice, Module, choose
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.request import Request
from ansible_collections.gpu.fleet.plugins.module_utils.driver.secure_boot import SecureBoot
from ansible_collections.gpu.fleet.plugins.module_utils.driver.strangers import Own
from unit.module_utils.driver.test_driver_packages import KNOWN

KERNEL, OTHER = "6.1.0-56-cloud-amd64", "6.1.0-60-cloud-amd64"
MODULES = "nvidia-modules-open-6.1.0-56-cloud-amd64"
VERMAGIC = f"{KERNEL} SMP preempt mod_unload modversions"
FILE = f"Debian-12/archive/{MODULES}_535.261.03_amd64.deb"
DKMS = "nvidia-open-kernel-dkms"
PROVENANCE = Provenance(KERNEL, "535.261.03", "open", VERMAGIC, "gcc-12", "", "", f"{DKMS} 535.261.03-1", "gpu-01", "2026-11-23")
DEBIAN = KNOWN["Debian-12"]
NAMES = choose(DEBIAN, Choice("archive", "x86_64", "", Module("open", (KERNEL,), "cloud-amd64", prebuilt=True))).same
BESIDE = {"nvidia-modprobe": "535-1", "nvidia-persistenced": "535-1"}
ARCHIVE = "http://mirror.example/debian"


class FakeApt:
    """An archive that has one version of all."""

    def __init__(self, root: Path) -> None:
        pass

    def sources(self) -> dict[str, str]:
        return {}

    def archive(self, _: str) -> set[tuple[str, str]]:
        return {(ARCHIVE, "bookworm")}

    def update(self, *_: str) -> None:
        pass

    def run(self, *command: str) -> str:
        place = f" 500\n        500 {ARCHIVE} bookworm/main amd64 Packages\n"
        return "".join(f"{name}:\n     535.261.03-1{place}" for name in command[2:] if not name.startswith("nvidia-kernel"))

    def simulate(self, packages: list[str], _: Own) -> list[str]:
        return [f"Inst {package}" for package in packages]

    def idle(self, _: list[str]) -> list[str]:
        return []

    def agrees(self, _: list[str]) -> bool:
        return True


@pytest.fixture(autouse=True)
def _apt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_apt, "ScratchApt", FakeApt)
    monkeypatch.setattr(fit, "vermagic", lambda *_: VERMAGIC)


REQUEST = Request(DEBIAN, "archive", flavour="open", build_once=True)


def node(*names: str, version: str = "535.261.03", **changes: Any) -> Node:
    there = {name: Installed(f"{version}-1", held=True) for name in names}
    if there:
        there |= {name: Installed(own, held=False) for name, own in BESIDE.items()}
    return replace(Node(there, (KERNEL,), frozenset([KERNEL])), **changes)


def plan(request: Request, on: Node) -> dict[str, Any]:
    return planning.plan(request, on, Path("/nowhere"), lambda _: b"")


def test_a_node_says_what_it_would_compile() -> None:
    planned = plan(REQUEST, node())
    assert planned["modules"] == [{"kernel": KERNEL, "file": FILE}]
    assert planned["compilers"] == ["nvidia-kernel-dkms", DKMS]
    assert (planned["compiles"], planned["unsigned"], planned["local"]) == (False, "", [])
    assert f"{DKMS}=535.261.03-1" in planned["packages"]
    assert "modules" not in plan(replace(REQUEST, build_once=False), node())


def test_one_that_began_to_compile_goes_on() -> None:
    assert plan(REQUEST, node(DKMS))["compiles"] is True
    assert plan(REQUEST, node(DKMS, version="535.200.01"))["compiles"] is False


def test_what_was_compiled_is_installed_without_what_compiles() -> None:
    there = node(DKMS, version="535.200.01", with_headers=frozenset())
    there.installed["linux-image-cloud-amd64"] = Installed("6.1.1-1", held=False)
    there.installed[f"nvidia-modules-open-{OTHER}"] = Installed("535.200.01", held=True)
    planned = plan(replace(REQUEST, flavour="auto", prebuilt=(PROVENANCE,)), there)
    assert (planned["version"], planned["flavour"], planned["local"]) == ("535.261.03", "open", [MODULES])
    assert not [name for name in planned["packages"] if "dkms" in name or "headers" in name or name.startswith(MODULES)]
    assert planned["remove"] == [f"nvidia-modules-open-{OTHER}", DKMS]
    assert {MODULES, "linux-image-cloud-amd64", "libcuda1"} <= set(planned["hold"])
    assert planned["changes"][-3:] == [
        f"Inst nvidia-modules-open-{OTHER}-",
        f"Inst {DKMS}-",
        f"Inst {MODULES} (535.261.03 compiled on gpu-01)",
    ]


def test_a_kernel_that_is_not_there_is_not_installed_to_be_held() -> None:
    assert "linux-image-cloud-amd64" not in plan(replace(REQUEST, prebuilt=(PROVENANCE,)), node())["hold"]


@pytest.mark.parametrize("names", [(*NAMES, DKMS), (*NAMES, MODULES)])
def test_either_way_is_as_it_should_be(names: tuple[str, ...]) -> None:
    assert plan(REQUEST, node(*names))["converged"] is True


def test_a_repair_of_something_else_compiles_nothing() -> None:
    broken = node(*NAMES, MODULES)
    broken.installed[MODULES] = Installed("535.261.03", held=True)
    broken.installed["libcuda1"] = Installed("535.261.03-1", held=False)
    for flavour in ("open", "auto"):
        planned = plan(replace(REQUEST, flavour=flavour), broken)
        assert (planned["converged"], planned["local"], planned["remove"], "modules" in planned) == (False, [], [], False)
        assert not [name for name in planned["packages"] if "dkms" in name]
    assert "modules" in plan(
        replace(REQUEST, kernels=()), replace(broken, kernels=(KERNEL, OTHER), with_headers=frozenset([KERNEL, OTHER]))
    )


def test_without_leave_to_take_it_a_compiled_module_is_replaced() -> None:
    planned = plan(replace(REQUEST, build_once=False), node(*NAMES, MODULES))
    assert (planned["converged"], planned["remove"]) == (False, [MODULES])
    assert f"{DKMS}=535.261.03-1" in planned["packages"]


def test_a_kernel_that_could_be_replaced_a_next_kernel_and_another_version_are_something_to_do() -> None:
    whole = node(*NAMES, MODULES)
    assert plan(REQUEST, replace(whole, kernels=(KERNEL, OTHER)))["converged"] is False
    loose = node(*NAMES, MODULES)
    loose.installed["linux-image-cloud-amd64"] = Installed("6.1.1-1", held=False)
    assert plan(REQUEST, loose)["converged"] is False
    mixed = node(*NAMES, MODULES)
    mixed.installed[MODULES] = Installed("535.200.01", held=True)
    assert plan(REQUEST, mixed)["converged"] is False


@pytest.mark.parametrize(
    ("modules", "changes", "reason"),
    [
        (replace(PROVENANCE, vermagic=f"{KERNEL} SMP mod_unload"), {}, "they are for '6.1.0-56-cloud-amd64 SMP mod_unload', and kernel"),
        (PROVENANCE, {"kernels": (KERNEL, OTHER), "with_headers": frozenset([KERNEL, OTHER])}, f"none are for kernel {OTHER}"),
    ],
)
def test_what_does_not_fit_is_compiled_here_with_the_reason(modules: Provenance, changes: dict[str, Any], reason: str) -> None:
    planned = plan(replace(REQUEST, prebuilt=(modules,)), node(**changes))
    assert planned["misfit"].startswith(reason)
    assert f"{DKMS}=535.261.03-1" in planned["packages"]


def test_a_kernel_needs_what_its_own_modules_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(fit, "modinfo", lambda path, what: f"{what} of {path.name}")
    assert fit.misfit(PROVENANCE, tmp_path, SecureBoot()) == f"no kernel {KERNEL} is here"
    own = tmp_path / "lib/modules" / KERNEL / "kernel/fs/ext4.ko.xz"
    own.parent.mkdir(parents=True)
    own.touch()
    assert fit.vermagic(tmp_path, KERNEL) == "vermagic of ext4.ko.xz"
    assert fit.misfit(replace(PROVENANCE, vermagic="vermagic of ext4.ko.xz"), tmp_path, SecureBoot()) == ""


def test_under_secure_boot_the_signer_counts() -> None:
    """A node without a key of its own cannot compile, and can still take what was signed with one that it trusts."""
    number = bytes.fromhex("d4c1ae0102030405")
    signed = replace(PROVENANCE, signer="fleet", signing_key=number.hex())
    bare = SecureBoot(enabled=True)
    assert plan(REQUEST, node(secure_boot=bare))["unsigned"].startswith("Found Secure Boot, which lets the kernel load no module")
    with pytest.raises(Refusal, match="Found Secure Boot"):
        plan(replace(REQUEST, prebuilt=(signed,)), node(secure_boot=bare))
    trusting = SecureBoot(enabled=True, owners_keys=b"...\x02\x09\x00" + number + b"...")
    assert plan(replace(REQUEST, prebuilt=(signed,)), node(secure_boot=trusting))["local"] == [MODULES]
    with pytest.raises(Refusal, match="Found Secure Boot"):
        plan(replace(REQUEST, prebuilt=(PROVENANCE,)), node(secure_boot=trusting))


def keep(folder: Path, file: str = FILE, **changes: str) -> None:
    """Put a package into the controller's folder."""
    package = folder / file
    package.parent.mkdir(parents=True, exist_ok=True)
    package.write_bytes(b"modules")
    told = {**PROVENANCE.plain(), "sha256": hashlib.sha256(b"modules").hexdigest(), **changes}
    package.with_suffix(".json").write_text(json.dumps(told), encoding="utf-8")


def asking(*, compiles: bool = False, unsigned: str = "", files: tuple[str, ...] = (FILE,)) -> dict[str, Any]:
    modules = [{"kernel": KERNEL, "file": file} for file in files]
    return {"version": "535.261.03", "flavour": "open", "modules": modules, "compiles": compiles, "unsigned": unsigned, "converged": False}


def does(plans: dict[str, Any], folder: Path) -> dict[str, str]:
    return {name: shared["does"] for name, shared in share(plans, folder).items()}


def test_the_first_of_each_group_compiles_and_the_others_wait(tmp_path: Path) -> None:
    plans = {"a": asking(), "b": asking(), "c": asking(files=("other.deb",)), "done": {"converged": True}, "failed": {}}
    assert does(plans, tmp_path) == {"a": "compile", "b": "wait", "c": "compile"}
    waiting = share(plans, tmp_path)["b"]
    assert waiting["from"] == "a"
    expected = replace(PROVENANCE, vermagic="", compiler="", source="", built_on="a", built_at="")
    assert [package["provenance"] for package in waiting["packages"]] == [expected.plain()]


def test_who_began_to_compile_does_it_and_who_may_not_does_not(tmp_path: Path) -> None:
    assert does({"a": asking(), "b": asking(compiles=True)}, tmp_path) == {"a": "wait", "b": "compile"}
    assert does({"a": asking(unsigned="Secure Boot"), "b": asking()}, tmp_path) == {"a": "wait", "b": "compile"}
    assert does({"a": asking(unsigned="Secure Boot")}, tmp_path) == {"a": "alone"}


def test_what_is_kept_is_taken_by_all_but_those_that_began(tmp_path: Path) -> None:
    keep(tmp_path)
    plans = {"a": asking(), "b": asking(compiles=True)}
    assert does(plans, tmp_path) == {"a": "take", "b": "alone"}
    (package,) = share(plans, tmp_path)["a"]["packages"]
    assert (package["name"], package["file"], package["provenance"]) == (MODULES, str(tmp_path / FILE), PROVENANCE.plain())


@pytest.mark.parametrize("spoil", ["changed", "half-told", "untold", "another"])
def test_what_is_not_as_it_was_written_down_is_no_package(spoil: str, tmp_path: Path) -> None:
    keep(tmp_path)
    told = (tmp_path / FILE).with_suffix(".json")
    if spoil == "changed":
        (tmp_path / FILE).write_bytes(b"modulez")
    elif spoil == "half-told":
        told.write_text(told.read_text()[:40])
    elif spoil == "untold":
        told.unlink()
    else:
        told.write_text("[]")
    assert does({"a": asking(), "b": asking()}, tmp_path) == {"a": "compile", "b": "wait"}


def test_all_kernels_or_none(tmp_path: Path) -> None:
    keep(tmp_path)
    assert does({"a": asking(files=(FILE, "next.deb"))}, tmp_path) == {"a": "compile"}


def test_the_package_needs_what_the_one_needs_that_compiled_it_but_for_the_compiling() -> None:
    dkms = DkmsPackage(
        DKMS,
        "535.261.03-1",
        "firmware-nvidia-gsp (= 535.261.03) | firmware-nvidia-gsp-535.261.03, nvidia-open-kernel-support--v1, dkms (>= 3.0.3-4~)",
        "nvidia-open-kernel-535.261.03, nvidia-open-kernel-dkms-any (= 535.261.03)",
    )
    text = control(PROVENANCE, dkms, [DKMS, "nvidia-kernel-dkms"], "amd64", 9)
    fields = dict(line.split(": ", 1) for line in text.splitlines() if line[0] != " ")
    assert fields["Package"] == MODULES
    assert fields["Version"] == "535.261.03"
    assert fields["Depends"] == "firmware-nvidia-gsp (= 535.261.03) | firmware-nvidia-gsp-535.261.03, nvidia-open-kernel-support--v1"
    assert fields["Provides"] == "nvidia-modules-6.1.0-56-cloud-amd64, nvidia-open-kernel-535.261.03"
    assert fields["Conflicts"] == f"nvidia-modules-6.1.0-56-cloud-amd64, {DKMS}, nvidia-kernel-dkms"


def test_a_package_is_called_as_dpkg_allows() -> None:
    assert package_name("open", "6.12.57+deb13-cloud-amd64") == "nvidia-modules-open-6.12.57+deb13-cloud-amd64"
    assert package_name("open", "5.14.0_Custom~1") == "nvidia-modules-open-5.14.0-custom-1"
