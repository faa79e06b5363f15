"""The errors that the driver reported in this boot, by what NVIDIA's catalogue says they mean."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.gpu.fleet.plugins.module_utils import recovery
from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding, Subject
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import gpu_subject, listed, node
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation, XidEvent
from ansible_collections.gpu.fleet.plugins.module_utils.tables import NVLINK_TABLE, XID_TABLE, Tables, XidMeaning
from ansible_collections.gpu.fleet.plugins.module_utils.xid import NVLINK5

_RECOVERY_ACTION_CHANGED = 154
_CHANGED_TO = re.compile(r"\bto (?:0x[0-9a-f]+ )?\(?(?P<what>[^()]+)", re.IGNORECASE)
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
    look: str = ""  # where NVIDIA looks for the cause, where that is not the GPU


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
            harmless.append(f"{_name(event)} on {event.pci_id} x{event.count}{_unit(event)}")
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
    if event.code in NVLINK5:
        return _nvlink5(event, row, tables)
    return _Judgement(row.mnemonic, source, action, condemns=row.blames in _CONDEMNED, kills_job=kills)


def _nvlink5(event: XidEvent, row: XidMeaning, tables: Tables) -> _Judgement:
    """Judge by the sub-code; where the sheet has none for it, by what the driver calls it, and without that as an error unknown."""
    rule = tables.nvlink_rule(event)
    if rule is None:
        fatal = event.severity == "fatal"
        action = "reset_gpu" if fatal else row.action
        return _Judgement(row.mnemonic, f"{XID_TABLE}: {row.source}", action, condemns=True, kills_job=fatal)
    return _Judgement(
        f"{row.mnemonic}{_unit(event)}",
        f"{NVLINK_TABLE}: {rule.source}",
        rule.action,
        condemns=rule.blames in _CONDEMNED,
        kills_job=rule.kills_job,
        look=next((look for word, look in _LOOK.items() if word in rule.nvidia_investigatory_action), ""),
    )


def _recovery(text: str) -> str:
    changed = _CHANGED_TO.search(text)
    what = changed["what"].lower() if changed else ""
    return next((action for words, action in _RECOVERIES if words in what), "investigate")


def _finding(observation: Observation, event: XidEvent, judgement: _Judgement) -> Finding:
    subjects = (gpu_subject(gpu, observation) for gpu in listed(observation))
    index = next((subject.index for subject in subjects if subject.id == event.pci_id), None)
    kind = "gpu" if event.source == "xid" else "link"
    return About("xid", Subject(kind, event.pci_id, index)).failed(
        f"found {_name(event)} ({judgement.meaning}), {event.count} times, last {event.last_s:.0f} s after the start: "
        f"{event.text or 'no text'}; expected none: {judgement.look}{_NEXT[judgement.action]}",
        observed=_name(event),
        expected="none",
        source=judgement.source,
        action=judgement.action,
        kills_job=judgement.kills_job,
    )


def _name(event: XidEvent) -> str:
    return f"{'Xid' if event.source == 'xid' else 'SXid'} {event.code}"


def _unit(event: XidEvent) -> str:
    """Write where in NVLink it happened; link -1 is none in particular."""
    if not event.nvlink.is_known:
        return ""
    links = ", ".join(str(link) for link in event.nvlink.value.links if link >= 0)
    return f" ({event.nvlink.value.unit}{f', link {links}' if links else ''})"


_CONDEMNED = ("hardware", "software")
# By a word of NVIDIA's investigatory action.
_LOOK = {
    "PEER_DEVICE": "the device at the other end of the link brought it down, look there first; ",
    "LINK_SI": "look at the link's signal, cable and seat; ",
    "SW": "look for the software or the person that took the link down; ",
    "HOST": "look in the host's and the BMC's logs for what took the link down; ",
}
_NEXT = {
    "none": "nothing to do",
    "restart_app": "restart the application, and investigate if it comes back",
    "reset_gpu": "reset the GPU (nvidia-smi --gpu-reset) or reboot, and replace it if it comes back",
    "reboot": "reboot the node, and replace the GPU if it comes back",
    "replace": "replace the GPU",
    "investigate": "collect nvidia-bug-report.sh and ask NVIDIA",
}
