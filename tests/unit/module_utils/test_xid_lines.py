"""The driver's lines, in every form that has been seen."""

from __future__ import annotations

import pytest
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
