"""NVLink errors since the last check: a link that is up may still repeat what it sends, and slow all the others down."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.counters import FIRST, minutes
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import over_gpus
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Observation
from ansible_collections.gpu.fleet.plugins.module_utils.snapshot import change
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_SOURCE = "limits of NVIDIA DCGM's health watch"
# What a good link never does, and what matters only when it happens often.
_NEVER = {
    "replay": "replays",
    "recovery": "recoveries",
    "recovery_succeeded": "recoveries",
    "recovery_failed": "failed recoveries",
    "integrity": "local integrity errors",
    "receive": "packets received with errors",
}
_SELDOM = {
    "crc_flit": "flow control CRC errors",
    "crc_data": "data CRC errors",
    "effective": "effective errors",
    "symbol": "symbol errors",
}
_MOST_PER_SECOND = 100
_NAMED_LINKS = 3


def check(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require that no link replayed or recovered since the last check, and none had more CRC errors than is ordinary."""

    def judge(about: About, gpu: Gpu) -> Finding:
        absent = about.without(NVLink_errors=gpu.nvlink_errors)
        if absent:
            return absent
        risen = _risen(observation, gpu)
        if risen is None:
            return about.passed(f"NVLink error counters: {FIRST}")
        limit = _MOST_PER_SECOND * 60 * (minutes(observation) or float("inf"))
        bad = {link: _bad(kinds, limit) for link, kinds in risen.items() if _bad(kinds, limit)}
        if not bad:
            return about.passed(f"no NVLink errors that matter since the last check{_told(risen)}", observed={}, source=_SOURCE)
        return about.failed(
            f"found since the last check {_named(bad)}, expected none (CRC errors: fewer than {_MOST_PER_SECOND} a second): "
            "look at nvidia-smi nvlink --errorcounters, reseat the GPU or its cable, and replace what keeps counting",
            observed=risen,
            expected={},
            source=_SOURCE,
            action="investigate",
            kills_job=False,
        )

    return over_gpus("nvlink_errors", observation, judge)


def _risen(observation: Observation, gpu: Gpu) -> dict[str, dict[str, int]] | None:
    """Return what rose, by link and kind; None where nothing can be told yet."""
    if not gpu.uuid.is_known:
        return None
    changes = {
        (link, kind): change(observation, f"{gpu.uuid.value}/nvlink{link}", kind, now)
        for link, kinds in gpu.nvlink_errors.value.items()
        for kind, now in kinds.items()
    }
    if all(count is None for count in changes.values()):
        return None
    risen: dict[str, dict[str, int]] = {}
    for (link, kind), count in changes.items():
        if count:
            risen.setdefault(link, {})[kind] = count
    return risen


def _bad(kinds: dict[str, int], limit: float) -> list[str]:
    names = {**_SELDOM, **_NEVER}
    return [f"{count} {names.get(kind, kind)}" for kind, count in kinds.items() if kind in _NEVER or count >= limit]


def _named(bad: dict[str, list[str]]) -> str:
    named = [f"{' and '.join(kinds)} on link {link}" for link, kinds in list(bad.items())[:_NAMED_LINKS]]
    more = len(bad) - len(named)
    return ", ".join(named) + (f" and more on {more} others" if more else "")


def _told(risen: dict[str, dict[str, int]]) -> str:
    total = sum(count for kinds in risen.values() for count in kinds.values())
    return f" ({total} CRC or symbol errors, which is ordinary)" if total else ""
