"""Reads the lines in which NVIDIA's driver reports errors: Xid (a GPU) and SXid (an NVSwitch)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ansible_collections.gpu.fleet.plugins.module_utils.observation import XidEvent, is_pci_id, pci_id

_XID = re.compile(r"NVRM: Xid \((?:PCI:)?(?P<pci>[0-9a-fA-F:.]+)[^)]*\): (?P<code>\d+)(?:,\s*(?P<text>.*))?")
_SXID = re.compile(r"nvidia-nvswitch\d+: SXid \((?:PCI:)?(?P<pci>[0-9a-fA-F:.]+)[^)]*\): (?P<code>\d+),\s*(?P<text>.*)")
_SXID_SEVERITY = re.compile(r"(?P<severity>Fatal|Non-fatal),\s*(?P<text>.*)", re.IGNORECASE)
_SXID_DETAIL = re.compile(r"(Severity \d|Data \{)")
_MENTION = re.compile(r"\bS?Xid\b")


@dataclass(frozen=True)
class NotUnderstood:
    """A line that names an Xid in a form that this parser does not know: nothing may be concluded from it, not even health."""

    line: str


def parse(line: str, at_s: float) -> XidEvent | NotUnderstood | None:
    """Read one message of the kernel log; None where it does not concern us."""
    if not _MENTION.search(line) or ("NVRM" not in line and "nvswitch" not in line):
        return None
    found = _XID.search(line) or _SXID.search(line)
    if not found or not is_pci_id(found["pci"]):
        return NotUnderstood(line.strip())
    source, severity, text = "xid", "", (found["text"] or "").strip()
    if found.re is _SXID:
        if _SXID_DETAIL.match(text):
            return None  # one of the lines that follow the one that says what happened
        source, stated = "sxid", _SXID_SEVERITY.match(text)
        if stated:
            severity, text = stated["severity"].lower(), stated["text"].strip()
    return XidEvent(source, pci_id(found["pci"]), int(found["code"]), severity, text, 1, at_s, at_s)


def summarise(messages: Iterable[tuple[float, str]]) -> tuple[tuple[XidEvent, ...], tuple[str, ...]]:
    """Fold the log's messages into one event per device, code and severity (a storm is one event), and what was not understood."""
    events: dict[tuple[str, str, int, str], XidEvent] = {}
    strange: dict[str, None] = {}
    for at_s, line in messages:
        event = parse(line, at_s)
        if isinstance(event, NotUnderstood):
            strange[event.line] = None
        elif event is not None:
            key = (event.source, event.pci_id, event.code, event.severity)
            known = events.get(key)
            if known:
                event = replace(event, count=known.count + 1, first_s=known.first_s)
            events[key] = event
    return tuple(events.values()), tuple(strange)
