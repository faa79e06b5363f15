"""A readiness as text for Prometheus's node exporter: whether each check speaks for each GPU, and for the node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.finding import PASS, SKIP
from ansible_collections.gpu.fleet.plugins.module_utils.verdict import DEGRADED, NOT_READY, READY, UNKNOWN

_HELP = (
    (
        "gpu_fleet_ready",
        "Whether nothing that this check found, on the GPU or on its node, speaks against the GPU (1), or something does (0).",
    ),
    ("gpu_fleet_verdict", "The verdict about the node: 1 for the one that holds."),
    ("gpu_fleet_check_time_seconds", "When the node was checked, in seconds since 1970."),
    ("gpu_fleet_check_duration_seconds", "How long the check took."),
)


@dataclass(frozen=True)
class _Gpu:
    index: str
    pci_bus_id: str
    uuid: str


def textfile(readiness: Mapping[str, Any], at: float) -> str:
    """Write the file; `at` is the time of the check in seconds since 1970. A check that could not measure does not speak for a GPU."""
    told = {
        "gpu_fleet_ready": _checks(readiness),
        "gpu_fleet_verdict": _verdicts(str(readiness["verdict"])),
        "gpu_fleet_check_time_seconds": [f"gpu_fleet_check_time_seconds {at:.0f}"],
        "gpu_fleet_check_duration_seconds": [f"gpu_fleet_check_duration_seconds {readiness['duration_s']}"],
    }
    return "".join(
        f"# HELP {name} {meaning}\n# TYPE {name} gauge\n" + "".join(f"{line}\n" for line in told[name]) for name, meaning in _HELP
    )


def no_measurement(at: float) -> str:
    """Write the file of a check that ended without a result: the verdict is unknown, and nothing is said of any GPU."""
    return textfile({"verdict": UNKNOWN, "findings": [], "observation": {}, "duration_s": "NaN"}, at)


def _verdicts(verdict: str) -> list[str]:
    return [f'gpu_fleet_verdict{{verdict="{name}"}} {int(name == verdict)}' for name in (READY, DEGRADED, NOT_READY, UNKNOWN)]


def _checks(readiness: Mapping[str, Any]) -> Iterator[str]:
    findings = readiness["findings"]
    gpus = _gpus(readiness)
    for check in dict.fromkeys(finding["check"] for finding in findings):
        bad = [finding["subject"] for finding in findings if finding["check"] == check and finding["status"] not in (PASS, SKIP)]
        for gpu in gpus:
            labels = {"check": check, "gpu": gpu.index, "pci_bus_id": gpu.pci_bus_id, "uuid": gpu.uuid}
            text = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
            yield f"gpu_fleet_ready{{{text}}} {int(not any(_concerns(subject, gpu, gpus) for subject in bad))}"


def _gpus(readiness: Mapping[str, Any]) -> list[_Gpu]:
    """List the GPUs that NVML counts, then those that only findings name; a node without any has one line per check all the same."""
    listed = readiness["observation"].get("nvml", {}).get("gpus", {}).get("value", [])
    gpus = [_Gpu(str(gpu["index"]), str(gpu["pci_bus_id"].get("value", "")), str(gpu["uuid"].get("value", ""))) for gpu in listed]
    subjects = [finding["subject"] for finding in readiness["findings"] if finding["subject"]["kind"] == "gpu"]
    unlisted = dict.fromkeys(subject["id"] for subject in subjects if not any(_names(subject, gpu) for gpu in gpus))
    return [*gpus, *(_Gpu("", str(name), "") for name in unlisted)] or [_Gpu("", "", "")]


def _concerns(subject: Mapping[str, Any], gpu: _Gpu, gpus: list[_Gpu]) -> bool:
    """Say whether a finding about this subject speaks of a GPU: what is not about one of them is about all."""
    if any(_names(subject, other) for other in gpus):
        return _names(subject, gpu)
    return True


def _names(subject: Mapping[str, Any], gpu: _Gpu) -> bool:
    """Say whether the subject is this GPU or one of its links (`UUID/nvlink3`)."""
    if subject["kind"] == "gpu" and "index" in subject:
        return str(subject["index"]) == gpu.index
    return str(subject["id"]).split("/")[0] in {gpu.pci_bus_id, gpu.uuid} - {""}


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
