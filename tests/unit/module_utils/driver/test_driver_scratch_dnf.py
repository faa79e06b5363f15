"""The scratch copy of dnf's state: what is asked of dnf, and what is made of its answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.driver import scratch_dnf
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.scratch_dnf import ScratchDnf
from ansible_collections.gpu.fleet.plugins.module_utils.driver.strangers import Own

STREAMS = (Path(__file__).parent / "captured" / "dnf-4.14.0-module-list.txt").read_text(encoding="utf-8")


class Recorder:
    """Stands in for the node's commands."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, ...]] = []
        self.answers = {"rpm": "/var/lib/rpm\n", "dnf module list": STREAMS}

    def __call__(self, *command: str, also_good: str = "") -> str:
        self.commands.append(command)
        assert also_good in {"", "Operation aborted."}
        if command[-1] == "none" or "nvidia-driver:600-open" in command:
            raise Refusal("an error of dnf", "none", "look")
        return next((answer for start, answer in self.answers.items() if " ".join(command).startswith(start)), "")


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(scratch_dnf, "output", recorder)
    return recorder


@pytest.fixture
def dnf(commands: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ScratchDnf:
    node, root = tmp_path / "node", tmp_path / "scratch"
    for path, text in {
        "etc/dnf/modules.d/nvidia-driver.module": "[nvidia-driver]\nstream=570-open\nstate=enabled\n",
        "etc/dnf/plugins/versionlock.list": "# a comment\nslurm-0:24-1.el9.*\n",
        "etc/yum.repos.d/system.repo": "[system]\n",
        "etc/os-release": "ID=rocky\n",
        "var/lib/rpm/rpmdb.sqlite": "",
        "var/cache/dnf/system/repodata/repomd.xml": "",
        "var/cache/dnf/system/packages/large.rpm": "",
    }.items():
        (node / path).parent.mkdir(parents=True, exist_ok=True)
        (node / path).write_text(text, encoding="utf-8")
    monkeypatch.setattr(ScratchDnf, "node", node)
    scratch = ScratchDnf(root)
    commands.commands.clear()
    return scratch


def test_all_that_decides_is_copied_but_no_packages(dnf: ScratchDnf) -> None:
    there = {str(path.relative_to(dnf.root)) for path in dnf.root.rglob("*") if path.is_file()}
    assert "var/lib/rpm/rpmdb.sqlite" in there
    assert "var/cache/dnf/system/repodata/repomd.xml" in there
    assert not any("packages" in path for path in there)
    assert dnf.locks == ["slurm-0:24-1.el9.*"]


def test_dnf_works_on_the_copy_only(dnf: ScratchDnf, commands: Recorder) -> None:
    dnf.run("repoquery")
    assert {f"--installroot={dnf.root}", f"--setopt=reposdir={dnf.root}/etc/yum.repos.d"} < set(commands.commands[0])


def test_another_stream_is_enabled_after_a_reset_and_the_same_one_not_again(dnf: ScratchDnf, commands: Recorder) -> None:
    dnf.enable("nvidia-driver:570-open")
    assert commands.commands == []
    dnf.enable("nvidia-driver:580-open")
    assert [command[2] for command in commands.commands] == ["reset", "enable"]


def test_a_stream_that_there_is_not_is_refused_with_those_that_there_are(dnf: ScratchDnf) -> None:
    with pytest.raises(Refusal, match=r"Found the streams 570-dkms 570-open .* Expected stream 600-open"):
        dnf.enable("nvidia-driver:600-open")


def test_offers_are_of_this_architecture_and_the_newest_first(dnf: ScratchDnf, commands: Recorder) -> None:
    versions = ("3:580.9-1.el9.x86_64", "3:580.82.07-1.el9.x86_64", "3:580.82.07-2.el9.x86_64", "3:590.1-1.el9.i686")
    commands.answers["dnf repoquery"] = "".join(f"libnvidia-ml {version}\n" for version in versions) + "common 3:1-1.el9.noarch\n"
    offers = dnf.offers("x86_64", "--repo", "driver")
    assert [version for version, _ in offers["libnvidia-ml"]] == [versions[2], versions[1], versions[0]]
    assert [version for version, _ in offers["common"]] == ["3:1-1.el9.noarch"]


def test_locks_of_the_copy_are_its_own(dnf: ScratchDnf) -> None:
    dnf.lock(["libnvidia-ml-3:580.9-1.el9.*"])
    settings = (dnf.root / "etc/dnf/plugins/versionlock.conf").read_text(encoding="utf-8")
    assert f"locklist = {dnf.root}/locks" in settings
    assert (dnf.node / "etc/dnf/plugins/versionlock.list").read_text(encoding="utf-8").endswith("slurm-0:24-1.el9.*\n")


def test_a_transaction_that_removes_strangers_is_refused(dnf: ScratchDnf, commands: Recorder) -> None:
    commands.answers["dnf install"] = "Removing dependent packages:\n slurm  x86_64 24-1.el9 @system 5 k\n\nOperation aborted.\n"
    with pytest.raises(Refusal, match="would remove slurm"):
        dnf.simulate(["libnvidia-ml-3:580.9-1.el9.x86_64"], Own([], {}))
