"""What is read of RDMA adapters and of the PCI bus around them, under a root of its own; and that no reading holds up the others."""

from __future__ import annotations

import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Deadline
from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import System
from ansible_collections.gpu.fleet.plugins.module_utils.observe import infiniband, pci_topology, system
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

ROOT_PORT, UPSTREAM, DOWNSTREAM = 4, 5, 6
GOOD = {"state": "4: ACTIVE", "phys_state": "5: LinkUp", "link_layer": "InfiniBand", "rate": "400 Gb/sec (4X NDR)"}


def config(port_type: int, acs: int | None, size: int = 4096) -> bytes:
    """Make a bridge's configuration: a power capability, then PCI Express; advanced errors, then access control."""
    data = bytearray(4096)
    data[0x06] = 0x10
    data[0x34] = 0x40
    data[0x40:0x42] = bytes((0x01, 0x60))
    data[0x60:0x62] = bytes((0x10, 0x00))
    data[0x62] = port_type << 4 | 2
    data[0x100:0x104] = (0x0001 | 1 << 16 | (0x148 if acs is not None else 0) << 20).to_bytes(4, "little")
    if acs is not None:
        data[0x148:0x14C] = (0x000D | 1 << 16).to_bytes(4, "little")
        data[0x14E:0x150] = acs.to_bytes(2, "little")
    return bytes(data[:size])


def machine(root: Path, size: int = 4096) -> None:
    """Lay out one switch with two GPUs and an adapter below it, as /sys does."""
    switch = root / "sys/devices/pci0000:17/0000:17:01.0/0000:18:00.0"
    devices = root / "sys/bus/pci/devices"
    devices.mkdir(parents=True)
    group = root / "sys/kernel/iommu_groups/7"
    group.mkdir(parents=True)
    (group / "type").write_text("DMA-FQ\n")
    driver = root / "sys/bus/pci/drivers/nvidia"
    driver.mkdir(parents=True)
    for port, below in (("19:00.0", "1a:00.0"), ("19:01.0", "1b:00.0"), ("19:02.0", "1c:00.0")):
        place = switch / f"0000:{port}" / f"0000:{below}"
        place.mkdir(parents=True)
        (place.parent / "config").write_bytes(config(DOWNSTREAM, 0x1D, size))
        (devices / place.name).symlink_to(place)
        kind = "0x020700" if below == "1c:00.0" else "0x030200"
        for name, text in (("vendor", "0x15b3" if below == "1c:00.0" else "0x10de"), ("device", "0x2330"), ("class", kind)):
            (place / name).write_text(text + "\n")
    (switch / "0000:19:00.0/0000:1a:00.0/driver").symlink_to(driver)
    (switch / "0000:19:00.0/0000:1a:00.0/iommu_group").symlink_to(group)
    (switch / "config").write_bytes(config(UPSTREAM, None, size))
    (switch.parent / "config").write_bytes(config(ROOT_PORT, 0, size))
    adapter(root, "mlx5_0", switch / "0000:19:02.0/0000:1c:00.0")


def adapter(root: Path, name: str, device: Path | None, **port: Any) -> Path:
    folder = root / "sys/class/infiniband" / name
    (folder / "ports/1/counters").mkdir(parents=True)
    if device:
        device.mkdir(parents=True, exist_ok=True)
        (folder / "device").symlink_to(device)
    (folder / "board_id").write_text("MT_0000000838\n")
    (folder / "fw_ver").write_text("28.39.1002\n")
    for file, text in {**GOOD, **port}.items():
        (folder / "ports/1" / file).write_text(f"{text}\n")
    for counter in infiniband.COUNTERS:
        (folder / "ports/1/counters" / counter).write_text("0\n")
    return folder


def test_no_adapter_is_unsupported(tmp_path: Path) -> None:
    assert infiniband.observe(tmp_path).is_unsupported
    (tmp_path / "sys/class/infiniband").mkdir(parents=True)
    assert infiniband.observe(tmp_path).is_unsupported
    adapter(tmp_path, "rxe0", None)  # made of software
    assert infiniband.observe(tmp_path).is_unsupported


def test_an_adapter(tmp_path: Path) -> None:
    machine(tmp_path)
    (seen,) = infiniband.observe(tmp_path).value
    assert (seen.name, seen.pci_address, seen.board, seen.firmware) == (
        "mlx5_0",
        "00000000:1c:00.0",
        Reading.of("MT_0000000838"),
        Reading.of("28.39.1002"),
    )
    (port,) = seen.ports
    assert (port.number, port.state.value, port.physical_state.value, port.rate.value) == (1, "ACTIVE", "LinkUp", "400 Gb/sec (4X NDR)")
    assert port.counters == Reading.of(dict.fromkeys(infiniband.COUNTERS, 0))
    assert port.enabled.is_unsupported


def test_functions_lent_to_virtual_machines_are_left_out(tmp_path: Path) -> None:
    device = tmp_path / "sys/devices/0000:1c:00.1"
    device.mkdir(parents=True)
    (device / "physfn").symlink_to(tmp_path)
    adapter(tmp_path, "mlx5_1", device)
    assert infiniband.observe(tmp_path).is_unsupported


def test_an_interface_that_is_switched_off(tmp_path: Path) -> None:
    folder = adapter(tmp_path, "mlx5_0", tmp_path / "sys/devices/0000:1c:00.0", link_layer="Ethernet", state="1: DOWN")
    for name, place, flags in (("eth0", "0x0", "0x1002"), ("eth1", "1", "0x1003")):
        interface = folder / "device/net" / name
        interface.mkdir(parents=True)
        (interface / "dev_port").write_text(f"{int(place, 16)}\n")
        (interface / "flags").write_text(flags + "\n")
    (seen,) = infiniband.observe(tmp_path).value
    assert seen.ports[0].enabled == Reading("value", content=False)  # the interface that is on is another port's


@pytest.mark.parametrize(("text", "state"), [("7", "value"), ("rubbish", "unreadable"), ("", "unreadable")])
def test_counters_that_make_no_sense(tmp_path: Path, text: str, state: str) -> None:
    folder = adapter(tmp_path, "mlx5_0", tmp_path / "sys/devices/0000:1c:00.0")
    (folder / "ports/1/counters/link_downed").write_text(text)
    assert infiniband.observe(tmp_path).value[0].ports[0].counters.state == state


def test_a_port_without_counters(tmp_path: Path) -> None:
    folder = adapter(tmp_path, "efa_0", tmp_path / "sys/devices/0000:1c:00.0")
    for counter in infiniband.COUNTERS:
        (folder / "ports/1/counters" / counter).unlink()
    assert infiniband.observe(tmp_path).value[0].ports[0].counters.is_unsupported


def test_peer_memory(tmp_path: Path) -> None:
    assert infiniband.peer_memory(tmp_path).is_unsupported
    (tmp_path / "sys/module/nvidia_peermem").mkdir(parents=True)
    assert infiniband.peer_memory(tmp_path) == Reading.of("nvidia_peermem")


def test_the_way_between_gpus_and_adapters(tmp_path: Path) -> None:
    machine(tmp_path)
    seen = pci_topology.observe(tmp_path, ["00000000:1a:00.0", "00000000:1b:00.0"], ["00000000:1c:00.0", "00000000:ff:00.0"]).value
    assert [(endpoint.address, endpoint.kind) for endpoint in seen.endpoints] == [
        ("00000000:1a:00.0", "gpu"),
        ("00000000:1b:00.0", "gpu"),
        ("00000000:1c:00.0", "adapter"),
    ]
    first, second, _adapter = seen.endpoints
    assert first.bridges == ("00000000:17:01.0", "00000000:18:00.0", "00000000:19:00.0")
    assert (first.kernel_driver, first.iommu) == (Reading.of("nvidia"), Reading.of("DMA-FQ"))
    assert second.kernel_driver.is_unsupported
    assert second.iommu.is_unsupported
    types = {bridge.address[9:]: bridge.port_type.value for bridge in seen.bridges}
    assert types == {"17:01.0": ROOT_PORT, "18:00.0": UPSTREAM, "19:00.0": DOWNSTREAM, "19:01.0": DOWNSTREAM, "19:02.0": DOWNSTREAM}
    acs = {bridge.address[9:]: bridge.acs for bridge in seen.bridges}
    assert acs["19:00.0"] == Reading.of(0x1D)
    assert acs["18:00.0"].is_unsupported


def test_without_root_only_the_beginning_of_a_configuration_is_seen(tmp_path: Path) -> None:
    machine(tmp_path, size=64)
    seen = pci_topology.observe(tmp_path, ["00000000:1a:00.0"], []).value
    assert all(bridge.port_type.is_unreadable and bridge.acs.is_unreadable for bridge in seen.bridges)
    assert "only root" in seen.bridges[0].acs.why


def test_a_configuration_that_points_at_itself_ends() -> None:
    data = bytearray(config(DOWNSTREAM, 0x1D))
    data[0x41] = 0x40
    data[0x100:0x104] = (0x0001 | 0x100 << 20).to_bytes(4, "little")
    assert pci_topology.port_type(bytes(data)).is_unsupported
    assert pci_topology.access_control(bytes(data)).is_unsupported


def test_nothing_is_left_out_and_one_source_that_breaks_takes_nothing_from_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(tmp_path)

    def breaks(_root: Path) -> Reading[int]:
        raise RuntimeError("boom")

    monkeypatch.setattr(system.machine, "cpu_count", breaks)
    items: list[Any] = []
    system.read(tmp_path, Deadline(5), items.append)
    assert {name for name, _reading in items} == {field.name for field in fields(System)}
    seen = system.assemble(items, "")
    assert seen.cpu_count == Reading.unreadable("RuntimeError: boom")
    assert len(seen.pci_topology.value.endpoints) == 3


def test_a_reading_that_hangs_loses_only_what_comes_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system.infiniband, "observe", lambda _root: time.sleep(60))
    start = time.monotonic()
    seen = system.Observer(tmp_path, Deadline(1.0)).result()
    assert time.monotonic() - start < 20
    assert seen.adapters.is_unreadable
    assert seen.pci_topology.is_unreadable
    assert seen.clock.is_known
