"""The driver's lines, in every form that has been seen."""

from __future__ import annotations

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.observation_gpu import NvlinkError
from ansible_collections.gpu.fleet.plugins.module_utils.xid import NotUnderstood, parse, summarise


@pytest.mark.parametrize(
    ("line", "source", "device", "code", "severity", "text"),
    [
        (
            "NVRM: Xid (PCI:0000:9b:00): 119, pid=2024380, name=nvidia-smi, Timeout after 6s of waiting for RPC response",
            "xid",
            "00000000:9b:00.0",
            119,
            "",
            "pid=2024380, name=nvidia-smi, Timeout after 6s of waiting for RPC response",
        ),
        ("NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus.", "xid", "00000000:01:00.0", 79, "", "GPU has fallen off the bus."),
        ("NVRM: Xid (0000:03:00): 14, Channel 00000001", "xid", "00000000:03:00.0", 14, "", "Channel 00000001"),
        ("kernel: NVRM: Xid (PCI:0008:01:00 GPU-I:05): 94, Contained", "xid", "00000008:01:00.0", 94, "", "Contained"),
        ("[  12.3] NVRM: Xid (PCI:0000:01:00): 43", "xid", "00000000:01:00.0", 43, "", ""),
        (
            "nvidia-nvswitch3: SXid (PCI:0000:05:00.0): 12028, Non-fatal, Link 32 egress nonposted PRIV error",
            "sxid",
            "00000000:05:00.0",
            12028,
            "non-fatal",
            "Link 32 egress nonposted PRIV error",
        ),
        (
            "nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 20034, Fatal, Link 30 LTSSM Fault Up",
            "sxid",
            "00000000:c1:00.0",
            20034,
            "fatal",
            "Link 30 LTSSM Fault Up",
        ),
        ("nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 10001, Host_priv_error", "sxid", "00000000:c1:00.0", 10001, "", "Host_priv_error"),
    ],
)
def test_known_forms(line: str, source: str, device: str, code: int, severity: str, text: str) -> None:  # noqa: PLR0913, PLR0917
    event = parse(line, 12.5)
    assert event is not None
    assert not isinstance(event, NotUnderstood)
    assert (event.source, event.pci_id, event.code, event.severity, event.text) == (source, device, code, severity, text)
    assert event.first_s == event.last_s == 12.5


@pytest.mark.parametrize(
    "line",
    [
        "",
        "NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  570.124.06",
        "usb 1-1: new device named Xid",
        "nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 20034, Severity 1 Engine instance 30 Sub-engine instance 00",
        "nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 20034, Data {0x50610002, 0x10100030}",
        "NVRM: GPU at PCI:0000:65:00: GPU-f13c5d20",
    ],
)
def test_lines_that_are_no_error(line: str) -> None:
    assert parse(line, 0) is None


@pytest.mark.parametrize(
    "line", ["NVRM: Xid <0000:01:00> 79", "NVRM: Xid (PCI:zz): 79, x", "NVRM: Xid", "nvidia-nvswitch0: SXid 20034 Fatal"]
)
def test_a_new_form_is_not_taken_for_health(line: str) -> None:
    assert parse(line, 0) == NotUnderstood(line)


def test_a_storm_is_one_event() -> None:
    storm = [(float(second), f"NVRM: Xid (PCI:0000:01:00): 31, fault {second}") for second in range(1000)]
    events, strange = summarise([*storm, (5.0, "NVRM: Xid (PCI:0000:02:00): 31, fault"), (6.0, "NVRM: Xid?"), (7.0, "NVRM: Xid?")])
    assert [(event.pci_id, event.count, event.first_s, event.last_s, event.text) for event in events] == [
        ("00000000:01:00.0", 1000, 0.0, 999.0, "fault 999"),
        ("00000000:02:00.0", 1, 5.0, 5.0, "fault"),
    ]
    assert strange == ("NVRM: Xid?",)


@pytest.mark.parametrize(
    ("text", "severity", "error"),
    [
        (
            "NETIR_LINK_EVT  Fatal   XC0 i0 Link 01 (0x021425c6 0x00000000 0x00000000)",
            "fatal",
            NvlinkError("NETIR_LINK_EVT", 0x021005C6, 0, (1,)),
        ),
        (
            "pid=876766, name=ray::WorkerDict, RLW_RXPIPE Nonfatal XC0 i0 Link 12 (0x040980c2 0x00000008 0x00000001)",
            "non-fatal",
            NvlinkError("RLW_RXPIPE", 0xC2, 8, (12,)),
        ),
        ("NETIR Fatal XC0 i0 Link -1 (0x000fe406 0x00000000)", "fatal", NvlinkError("NETIR", 0x406, 0, (-1,))),
        ("MSE Degraded Fatal XC0 i0 Link 00 (0x00000000 0xFFFFFFFF)", "fatal", NvlinkError("MSE Degraded", 0, 0xFFFFFFFF, (0,))),
        ("SAW_MVB Non-fatal XC0 i0 Link 00 (0x00000021 0x00000004)", "non-fatal", NvlinkError("SAW_MVB", 0x21, 4, (0,))),
        ("NETIR_LINK_EVT Fatal XC 1 i 2 Link 01 [0x000005c6]", "fatal", None),
        ("something Nonfatal", "non-fatal", None),
        ("a fatal thing", "fatal", None),
        ("a non-fatal thing", "non-fatal", None),
        ("what came of it was fatal", "fatal", None),
        ("", "", None),
    ],
)
def test_the_parts_of_an_nvlink_5_error(text: str, severity: str, error: NvlinkError | None) -> None:
    event = parse(f"NVRM: Xid (PCI:0000:01:00): 149, {text}", 0)
    assert event is not None
    assert not isinstance(event, NotUnderstood)
    assert (event.severity, event.nvlink.value if event.nvlink.is_known else None) == (severity, error)


def test_other_errors_have_no_such_parts() -> None:
    event = parse("NVRM: Xid (PCI:0000:01:00): 74, SAW_MVB Fatal XC0 i0 Link 00 (0x00000021 0x00000004)", 0)
    assert event is not None
    assert not isinstance(event, NotUnderstood)
    assert (event.severity, event.nvlink.is_known) == ("", False)


def test_a_storm_on_all_links_is_one_event_for_each_sub_code() -> None:
    remap = [
        (float(link), f"NVRM: Xid (PCI:0000:01:00): 145, RLW_REMAP Nonfatal XC0 i0 Link {link:02} {words(link, 4)}") for link in range(18)
    ]
    fatal = (20.0, f"NVRM: Xid (PCI:0000:01:00): 145, RLW_REMAP Fatal XC0 i0 Link 03 {words(3, 0x40)}")
    other = (21.0, f"NVRM: Xid (PCI:0000:01:00): 145, RLW_RSPCOL Nonfatal XC0 i0 Link 03 {words(3, 4)}")
    again = (22.0, f"NVRM: Xid (PCI:0000:01:00): 145, RLW_REMAP Nonfatal XC0 i0 Link 03 {words(3, 4)}")
    events, _strange = summarise([*remap, fatal, other, again])
    assert [(event.nvlink.value.unit, event.severity, event.count, event.first_s, event.last_s) for event in events] == [
        ("RLW_REMAP", "non-fatal", 19, 0.0, 22.0),
        ("RLW_REMAP", "fatal", 1, 20.0, 20.0),
        ("RLW_RSPCOL", "non-fatal", 1, 21.0, 21.0),
    ]
    assert events[0].nvlink.value.links == tuple(range(18))


def words(link: int, status: int) -> str:
    return f"({0x82 | link << 13:#010x} {status:#010x} 0x00000000)"
