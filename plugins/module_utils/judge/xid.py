"""The errors that the driver reported in this boot, by what NVIDIA's catalogue says they mean."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.gpu.fleet.plugins.module_utils import recovery
from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding, Subject
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import gpu_subject, listed, node
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation, XidEvent
from ansible_collections.gpu.fleet.plugins.module_utils.tables import XID_TABLE, Tables

_RECOVERY_ACTION_CHANGED = 154
_NVLINK5 = range(144, 151)
_CHANGED_TO = re.compile(r"to 0x[0-9a-f]+ \((?P<what>[^)]*)\)", re.IGNORECASE)
_RECOVERIES = (
    ("none", "none"),
    ("drain and reset", "reset_gpu"),
    ("drain p2p", "restart_app"),
    ("gpu reset", "reset_gpu"),
    ("bus reset", "reset_gpu"),
    ("reboot", "reboot"),
)


@dataclass(frozen=True)
class _Judgement:
    meaning: str
    source: str
    action: str
    condemns: bool
    kills_job: bool


def check(observation: Observation, _expectation: Expectation, tables: Tables) -> list[Finding]:
    """Require no error in this boot, or since the device's last recovery, that speaks against the hardware; an application's do not."""
    about, log = About("xid", node(observation)), observation.kernel_log
    absent = about.without(kernel_log=log)
    if absent:
        return [about.error(absent.message)]  # a node always has a kernel log: not to see it is not to know
    findings = [
        about.error(f"a line of the kernel log names an Xid in a form that this check does not know: {line!r}")
        for line in log.value.not_understood
    ]
    harmless, over = [], 0
    for event in log.value.events:
        judgement = judge(event, tables)
        if judgement.condemns and recovery.is_over(observation, event.pci_id, event.last_s):
            over += 1
        elif judgement.condemns:
            findings.append(_finding(observation, event, judgement))
        else:
            harmless.append(f"{_name(event)} on {event.pci_id} x{event.count}")
    if findings:
        return findings
    told = f"; seen and harmless: {', '.join(harmless)}" if harmless else ""
    told += f"; {over} kinds of error are older than the device's last recovery" if over else ""
    message = f"no Xid of this boot speaks against a GPU ({log.value.origin}){told}"
    return [about.passed(message, observed=harmless, expected=[], source=XID_TABLE)]


def judge(event: XidEvent, tables: Tables) -> _Judgement:
    """Say what one kind of error means."""
    if event.source == "sxid":
        harmless = event.severity == "non-fatal"
        action = "none" if harmless else "reset_gpu"
        meaning = f"NVSwitch error, {event.severity or 'of unknown severity'}"
        return _Judgement(meaning, "the NVSwitch driver", action, condemns=not harmless, kills_job=not harmless)
    row = tables.xids.get(event.code)
    if row is None:
        return _Judgement("not in the catalogue", XID_TABLE, "investigate", condemns=True, kills_job=False)
    action, kills, source = row.action, row.kills_job, f"{XID_TABLE}: {row.source}"
    if event.code == _RECOVERY_ACTION_CHANGED:
        action = _recovery(event.text)
        kills = action not in ("none", "investigate")
        return _Judgement(row.mnemonic, source, action, condemns=action != "none", kills_job=kills)
    if event.code in _NVLINK5 and re.search(r"\bfatal\b", event.text.lower().replace("non-fatal", "nonfatal")):
        action, kills = "reset_gpu", True
    return _Judgement(row.mnemonic, source, action, condemns=row.blames in ("hardware", "software"), kills_job=kills)


def _recovery(text: str) -> str:
    changed = _CHANGED_TO.search(text)
    what = (changed["what"] if changed else text).lower()
    return next((action for words, action in _RECOVERIES if words in what), "investigate")


def _finding(observation: Observation, event: XidEvent, judgement: _Judgement) -> Finding:
    subjects = (gpu_subject(gpu, observation) for gpu in listed(observation))
    index = next((subject.index for subject in subjects if subject.id == event.pci_id), None)
    kind = "gpu" if event.source == "xid" else "link"
    return About("xid", Subject(kind, event.pci_id, index)).failed(
        f"found {_name(event)} ({judgement.meaning}), {event.count} times, last {event.last_s:.0f} s after the start: "
        f"{event.text or 'no text'}; expected none: {_NEXT[judgement.action]}",
        observed=_name(event),
        expected="none",
        source=judgement.source,
        action=judgement.action,
        kills_job=judgement.kills_job,
    )


def _name(event: XidEvent) -> str:
    return f"{'Xid' if event.source == 'xid' else 'SXid'} {event.code}"


_NEXT = {
    "none": "nothing to do",
    "restart_app": "restart the application, and investigate if it comes back",
    "reset_gpu": "reset the GPU (nvidia-smi --gpu-reset) or reboot, and replace it if it comes back",
    "reboot": "reboot the node, and replace the GPU if it comes back",
    "replace": "replace the GPU",
    "investigate": "collect nvidia-bug-report.sh and ask NVIDIA",
}
