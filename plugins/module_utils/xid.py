"""Reads the lines in which NVIDIA's driver reports errors: Xid (a GPU) and SXid (an NVSwitch)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ansible_collections.gpu.fleet.plugins.module_utils.observation import XidEvent, is_pci_id, pci_id
from ansible_collections.gpu.fleet.plugins.module_utils.observation_gpu import NvlinkError
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

NVLINK5 = range(144, 151)
# Of the first word of such a line: why a link went down (bits 25 to 20), whether it is fatal, and the sub-code. The link is in between.
NVLINK5_INFO = 0x03F0_07FF

_XID = re.compile(r"NVRM: Xid \((?:PCI:)?(?P<pci>[0-9a-fA-F:.]+)[^)]*\): (?P<code>\d+)(?:,\s*(?P<text>.*))?")
_SXID = re.compile(r"nvidia-nvswitch\d+: SXid \((?:PCI:)?(?P<pci>[0-9a-fA-F:.]+)[^)]*\): (?P<code>\d+),\s*(?P<text>.*)")
_SXID_SEVERITY = re.compile(r"(?P<severity>Fatal|Non-fatal),\s*(?P<text>.*)", re.IGNORECASE)
_SXID_DETAIL = re.compile(r"(Severity \d|Data \{)")
# `NETIR_LINK_EVT  Fatal   XC0 i0 Link 08 (0x004505c6 0x00000000 ...)`; a process may be named before it
_NVLINK5 = re.compile(r"(?:^|,\s*)(?P<unit>\w+(?: \w+)?)\s+(?P<severity>Fatal|Non-?fatal)\b(?P<rest>.*)", re.IGNORECASE)
_NVLINK5_WORDS = re.compile(r"\bLink (?P<link>-?\d+)\s*[([](?P<info>0x[0-9a-f]+) (?P<status>0x[0-9a-f]+)", re.IGNORECASE)
_FATAL = re.compile(r"(?<!non-)\bfatal\b", re.IGNORECASE)
_NO_NVLINK: Reading[NvlinkError] = Reading.unsupported("the line has no parts of an NVLink 5 error")
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
    event = XidEvent(source, pci_id(found["pci"]), int(found["code"]), severity, text, 1, at_s, at_s, _NO_NVLINK)
    return _with_nvlink(event) if source == "xid" and event.code in NVLINK5 else event


def summarise(messages: Iterable[tuple[float, str]]) -> tuple[tuple[XidEvent, ...], tuple[str, ...]]:
    """Fold the log's messages into one event per device and error (a storm is one event), and what was not understood."""
    events: dict[tuple[object, ...], XidEvent] = {}
    strange: dict[str, None] = {}
    for at_s, line in messages:
        event = parse(line, at_s)
        if isinstance(event, NotUnderstood):
            strange[event.line] = None
        elif event is not None:
            key = _error(event)
            events[key] = _both(events[key], event) if key in events else event
    return tuple(events.values()), tuple(strange)


def _with_nvlink(event: XidEvent) -> XidEvent:
    """Add what the line of an NVLink 5 error says: its severity, and its parts if it has them all."""
    stated = _NVLINK5.search(event.text)
    if not stated:
        return replace(event, severity="fatal" if _FATAL.search(event.text) else "")
    event = replace(event, severity="fatal" if stated["severity"].lower() == "fatal" else "non-fatal")
    words = _NVLINK5_WORDS.search(stated["rest"])
    if not words:
        return event
    info, status, link = int(words["info"], 16) & NVLINK5_INFO, int(words["status"], 16), int(words["link"])
    return replace(event, nvlink=Reading.of(NvlinkError(stated["unit"], info, status, (link,))))


def _error(event: XidEvent) -> tuple[object, ...]:
    """Say which events are the same error; on which link it happened makes no difference."""
    nvlink = replace(event.nvlink.value, links=()) if event.nvlink.is_known else None
    return event.source, event.pci_id, event.code, event.severity, nvlink


def _both(known: XidEvent, event: XidEvent) -> XidEvent:
    """Count one more; the last one's text is kept."""
    nvlink = event.nvlink
    if nvlink.is_known:
        links = {*known.nvlink.value.links, *nvlink.value.links}
        nvlink = Reading.of(replace(nvlink.value, links=tuple(sorted(links))))
    return replace(event, count=known.count + 1, first_s=known.first_s, nvlink=nvlink)
