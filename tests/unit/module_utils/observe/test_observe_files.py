"""What is read from the kernel's files: the PCI bus, the device nodes, the module's version, the host."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.observation import KernelModule
from ansible_collections.gpu.fleet.plugins.module_utils.observe import device_nodes, driver, host, pci
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

H100 = {"vendor": "0x10de", "device": "0x2330", "class": "0x030200", "current_link_width": "16", "max_link_width": "16"}


def put(root: Path, address: str, **files: str) -> Path:
    folder = root / "sys/bus/pci/devices" / address
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text + "\n")
    return folder


def test_the_bus_is_sorted_by_kind(tmp_path: Path) -> None:
    put(tmp_path, "0000:43:00.0", **H100)
    put(tmp_path, "0000:1b:00.0", **{**H100, "current_link_width": "8"})
    put(tmp_path, "0000:21:00.0", **{**H100, "device": "0x2684", "class": "0x030000"})
    put(tmp_path, "0000:21:00.1", **{**H100, "class": "0x040300"})
    put(tmp_path, "0000:07:00.0", vendor="0x10de", device="0x22a3", **{"class": "0x068000"})
    put(tmp_path, "0000:00:02.0", **{**H100, "vendor": "0x8086"})
    bus = pci.observe(tmp_path).value
    assert [(gpu.address, gpu.device_id) for gpu in bus.gpus] == [
        ("00000000:1b:00.0", "2330"),
        ("00000000:21:00.0", "2684"),
        ("00000000:43:00.0", "2330"),
    ]
    assert bus.gpus[0].link_width == Reading.of(8)
    assert bus.gpus[0].link_width_max == Reading.of(16)
    assert [switch.device_id for switch in bus.nvswitches] == ["22a3"]
    assert bus.nvswitches[0].link_width.is_unsupported


def test_a_bus_without_nvidia_is_empty_and_no_bus_is_unreadable(tmp_path: Path) -> None:
    assert pci.observe(tmp_path).is_unreadable
    put(tmp_path, "0000:00:02.0", **{**H100, "vendor": "0x8086"})
    assert pci.observe(tmp_path).value.gpus == ()


@pytest.mark.parametrize(("file", "text"), [("vendor", "rubbish"), ("class", ""), ("device", "0xzz")])
def test_one_device_that_makes_no_sense_makes_the_bus_unreadable(tmp_path: Path, file: str, text: str) -> None:
    put(tmp_path, "0000:1b:00.0", **H100)
    put(tmp_path, "0000:43:00.0", **{**H100, file: text})
    assert pci.observe(tmp_path).is_unreadable


def test_a_device_with_a_file_missing_makes_the_bus_unreadable(tmp_path: Path) -> None:
    (put(tmp_path, "0000:43:00.0", **H100) / "device").unlink()
    assert pci.observe(tmp_path).is_unreadable


@pytest.mark.parametrize(("text", "state"), [("16", "value"), ("255", "unsupported"), ("0", "unsupported"), ("Unknown", "unreadable")])
def test_a_width_is_a_number_of_lanes(tmp_path: Path, text: str, state: str) -> None:
    put(tmp_path, "0000:1b:00.0", **{**H100, "current_link_width": text})
    assert pci.observe(tmp_path).value.gpus[0].link_width.state == state


def test_device_nodes(tmp_path: Path) -> None:
    assert device_nodes.observe(tmp_path).is_unreadable
    (tmp_path / "dev").mkdir()
    assert device_nodes.observe(tmp_path) == Reading.of(())
    for name in ("nvidia10", "nvidia2", "nvidiactl", "nvidia-uvm", "nvidia-nvswitch0", "null"):
        (tmp_path / "dev" / name).touch()
    assert device_nodes.observe(tmp_path) == Reading.of((2, 10))


@pytest.mark.parametrize(
    ("line", "version", "flavour"),
    [
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.261.03  Thu Jun 19 05:46:08 UTC 2025",
            "535.261.03",
            "proprietary",
        ),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build  (dvs-builder@U22-I3)",
            "570.124.06",
            "open",
        ),
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  390.157  Wed Oct 12 09:19:07 UTC 2022", "390.157", "proprietary"),
    ],
)
def test_the_modules_version(line: str, version: str, flavour: str) -> None:
    assert driver.parse(f"{line}\nGCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n") == Reading.of(KernelModule(version, flavour))


def test_a_version_file_that_is_absent_or_foreign(tmp_path: Path) -> None:
    assert driver.observe(tmp_path).is_unsupported
    assert driver.parse("GCC version: 12.2.0").is_unreadable
    folder = tmp_path / "proc/driver/nvidia/version"
    folder.mkdir(parents=True)
    assert driver.observe(tmp_path).is_unreadable


def test_the_host(tmp_path: Path) -> None:
    assert host.observe(tmp_path).boot_id.is_unreadable
    folder = tmp_path / "proc/sys/kernel/random"
    folder.mkdir(parents=True)
    (folder / "boot_id").write_text("b00t\n")
    seen = host.observe(tmp_path)
    assert (seen.boot_id, seen.hostname.is_known, seen.kernel.is_known) == (Reading.of("b00t"), True, True)


def test_the_hosts_distribution(tmp_path: Path) -> None:
    assert host.observe(tmp_path).distribution.is_unsupported
    (tmp_path / "etc").mkdir()
    release = tmp_path / "etc/os-release"
    for text, expected in (('ID=debian\nVERSION_ID="12"\n', "debian 12"), ("ID='rocky'\n", "rocky"), ("# ID\nNAME=X = Y\n\xff", None)):
        release.write_text(text)
        assert host.observe(tmp_path).distribution == (
            Reading.of(expected) if expected else Reading.unsupported(f"{release} names no distribution")
        )
    release.unlink()
    release.mkdir()
    assert host.observe(tmp_path).distribution.is_unreadable
