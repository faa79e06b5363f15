"""Identity: are GPUs of one model alike, and are they the ones that were here at the last check."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding, Subject
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import answering, node, over_gpus
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Identity, Observation, Snapshot
from ansible_collections.gpu.fleet.plugins.module_utils.snapshot import identities
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_CHANGES = "gpu_changes"


def vbios(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require one VBIOS version for all GPUs of a model: the one that most of them have."""
    versions: dict[str, list[str]] = {}
    for gpu in answering(observation):
        if gpu.vbios_version.is_known:
            versions.setdefault(_model(gpu), []).append(gpu.vbios_version.value)

    def judge(about: About, gpu: Gpu) -> Finding:
        absent = about.without(VBIOS_version=gpu.vbios_version)
        if absent:
            return absent
        now, alike = gpu.vbios_version.value, versions.get(_model(gpu), [])
        usual = max(sorted(set(alike)), key=alike.count, default=now)
        source = "this node's other GPUs"
        if now == usual:
            return about.passed(f"VBIOS {now}", observed=now, expected=usual, source=source)
        return about.failed(
            f"found VBIOS {now}, expected {usual} as on {alike.count(usual)} of this node's {len(alike)} GPUs of the model: "
            "bring them to one version with the vendor's firmware package",
            observed=now,
            expected=usual,
            source=source,
            action="investigate",
            kills_job=False,
        )

    return over_gpus("vbios", observation, judge)


def changes(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Name the GPUs that changed since the last check; require that none is gone, unless the inventory expects so many."""
    about, previous = About(_CHANGES, node(observation)), observation.previous
    absent = about.without(history=previous)
    if absent and not previous.is_unsupported:
        return [absent]
    present = identities(answering(observation))
    if absent:
        return [about.passed(f"{len(present)} GPUs recorded, to be told apart from the next check on ({previous.why})", observed=[])]
    findings = [_gone(address, was, previous.value) for address, was in _missing(observation, expectation, previous.value)]
    told = list(_told(previous.value.identities, present))
    if findings:
        return findings
    since = f"since the check of {previous.value.measured_at}"
    message = f"changed {since}: {'; '.join(told)}" if told else f"the same {len(present)} GPUs as before, {since}"
    return [about.passed(message, observed=told, expected=[], source="this node's history")]


def _model(gpu: Gpu) -> str:
    return gpu.name.value if gpu.name.is_known else ""


def _missing(observation: Observation, expectation: Expectation, before: Snapshot) -> list[tuple[str, Identity]]:
    """List the GPUs of the last check whose place on the bus is empty, and for which no other came."""
    if not observation.pci.is_known:
        return []  # the check gpu_count says that it could not be read
    bus = {device.address for device in observation.pci.value.gpus}
    if len(bus) >= len(before.identities) or expectation.gpu_count == len(bus):
        return []
    moved = {identity.uuid for identity in identities(answering(observation)).values()}
    return [(address, was) for address, was in before.identities.items() if address not in bus and was.uuid not in moved]


def _gone(address: str, was: Identity, before: Snapshot) -> Finding:
    return About(_CHANGES, Subject("gpu", address)).failed(
        f"found no GPU at {address}, expected {_name(was)} that was there at the check of {before.measured_at}: "
        "look for it with lspci -d 10de:, power-cycle the node and reseat it; if it was taken out, say gpu_count in the inventory",
        observed=None,
        expected=was.uuid,
        source="this node's history",
        action="investigate",
        kills_job=True,
    )


def _told(before: dict[str, Identity], now: dict[str, Identity]) -> list[str]:
    """Say what changed: a GPU replaced, new, moved, or with another VBIOS."""
    places = {identity.uuid: address for address, identity in before.items()}
    told = []
    for address, identity in now.items():
        was = before.get(address)
        if was and was.uuid == identity.uuid:
            if was.vbios != identity.vbios:
                told.append(f"{address} has VBIOS {identity.vbios or 'unknown'}, was {was.vbios or 'unknown'}")
        elif identity.uuid in places:
            told.append(f"{_name(identity)} moved from {places[identity.uuid]} to {address}")
        else:
            told.append(f"{address} holds {_name(identity)}, {f'was {_name(was)}' if was else 'new'}")
    return told


def _name(identity: Identity) -> str:
    return f"{identity.name or 'a GPU'} {identity.uuid}" + (f" (serial {identity.serial})" if identity.serial else "")
