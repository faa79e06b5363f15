"""Which GPUs a user's server gets: what the node has, less what other servers have, as the profile and the user's limit say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_GPU = re.compile(r"GPU (?P<index>\d+): .*\(UUID: (?P<uuid>GPU-[^)]+)\)")
_MIG = re.compile(r"\s+MIG (?P<kind>\S+) +Device +(?P<index>\d+): \(UUID: (?P<uuid>MIG-[^)]+)\)")


class NoGpusError(Exception):
    """A user cannot have what the profile says. The message is for the user."""


@dataclass(frozen=True)
class Device:
    """A whole GPU, or a slice of one."""

    name: str
    """What CDI calls it: 3, or 3:1 for a slice."""
    uuid: str
    kind: str
    """Empty for a whole GPU, else the profile of the slice, such as 1g.10gb."""


def parse(text: str) -> list[Device]:
    """Read `nvidia-smi -L`. A GPU that is sliced is its slices: nobody can have it as a whole."""
    devices: list[Device] = []
    for line in text.splitlines():
        gpu, mig = _GPU.match(line), _MIG.match(line)
        if gpu:
            index = gpu["index"]
            devices.append(Device(index, gpu["uuid"], ""))
        elif mig:
            devices = [device for device in devices if device.name != index]
            devices.append(Device(f"{index}:{mig['index']}", mig["uuid"], mig["kind"]))
    return devices


def wanted(profile: Mapping[str, Any], devices: Sequence[Device]) -> int:
    """Return how many devices of its kind a profile means."""
    return len(of_kind(profile, devices)) if profile["gpus"] == "all" else int(profile["gpus"])


def of_kind(profile: Mapping[str, Any], devices: Sequence[Device]) -> list[Device]:
    """Return the devices that a profile is about: whole GPUs, or slices of one kind."""
    return [device for device in devices if device.kind == profile.get("mig", "")]


def offered(profiles: Iterable[Mapping[str, Any]], devices: Sequence[Device], limit: int) -> list[Mapping[str, Any]]:
    """Return the profiles that this node can ever give a user with this limit."""
    return [
        profile
        for profile in profiles
        if wanted(profile, devices) <= min(limit, len(of_kind(profile, devices)))
        and not (profile["gpus"] == "all" and not wanted(profile, devices))
    ]


def choose(profile: Mapping[str, Any], devices: Sequence[Device], taken: Iterable[str], limit: int) -> list[Device]:
    """Return devices that nobody else has. Raises NoGpusError with what was found, what was expected and what to do."""
    others = set(taken)
    kind = of_kind(profile, devices)
    free = [device for device in kind if device.uuid not in others]
    count = wanted(profile, devices)
    if not kind and profile["gpus"] != 0:
        raise NoGpusError(f"{profile['name']}: this node has no {_called(profile)}. Choose another profile.")
    if count > limit:
        raise NoGpusError(
            f"{profile['name']}: that is {count}, and your limit is {limit}. Choose a smaller profile, or ask for a higher limit."
        )
    if count > len(free):
        raise NoGpusError(
            f"{profile['name']}: {len(free)} of {len(kind)} {_called(profile)} are free, and {count} are needed. "
            "Choose a smaller profile, or try again when somebody has stopped theirs."
        )
    return free[:count]


def _called(profile: Mapping[str, Any]) -> str:
    return f"slices {profile['mig']}" if profile.get("mig") else "GPUs"
