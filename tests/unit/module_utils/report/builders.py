"""Small results of small fleets; tests change what they are about."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.report.collect import Heard
from ansible_collections.gpu.fleet.plugins.module_utils.report.collect import node as collect
from ansible_collections.gpu.fleet.plugins.module_utils.report.fleet import About, Fleet, assemble
from ansible_collections.gpu.fleet.plugins.module_utils.report.gate import judge
from ansible_collections.gpu.fleet.plugins.module_utils.report.node import Node

NOW = datetime(2026, 11, 23, 4, 10, tzinfo=timezone.utc)
GPU = {"kind": "gpu", "id": "00000000:1b:00.0", "index": 0}


def finding(status: str = "pass", **changes: Any) -> dict[str, Any]:
    given = {
        "check": "gpu_count",
        "subject": {"kind": "node", "id": "gpu-01"},
        "status": status,
        "observed": 8,
        "expected": 8,
        "source": "inventory",
        "action": "none",
        "kills_job": False,
        "message": "8 GPUs",
    }
    return {**given, **changes}


def lost(**changes: Any) -> dict[str, Any]:
    given = {
        "observed": 7,
        "action": "reboot",
        "kills_job": True,
        "message": "found 7 GPUs, expected 8: look for the missing one with lspci",
    }
    return finding("fail", **{**given, **changes})


def speed(value: float, index: int = 0, *, minimum: float | None = 635.0, **changes: Any) -> dict[str, Any]:
    good = minimum is None or value >= minimum
    given = {
        "check": "matmul",
        "subject": {"kind": "gpu", "id": f"00000000:{index + 16:x}:00.0", "index": index},
        "observed": {"value": value, "unit": "TFLOP/s"},
        "expected": None if minimum is None else {"minimum": minimum, "unit": "TFLOP/s"},
        "source": "80 % of 794",
        "message": f"found {value}, expected {minimum}",
    }
    return finding("pass" if good else "fail", **{**given, **changes})


def readiness(verdict: str = "ready", *findings: Any, **changes: Any) -> dict[str, Any]:
    gpus = [{"name": {"value": "NVIDIA H100 80GB HBM3"}} for _ in range(8)]
    observation = {"schema": 1, "nvml": {"driver_version": {"value": "535.261.03"}, "gpus": {"value": gpus}}}
    return {"verdict": verdict, "findings": list(findings or [finding()]), "observation": observation, "duration_s": 0.4, **changes}


def node(name: str = "gpu-01", **heard: Any) -> Node:
    return collect(name, Heard(**(heard or {"readiness": readiness()})), NOW.isoformat())


def fleet(*nodes: Node, notice: str = "", accept: tuple[str, ...] = ("ready",), warnings: tuple[str, ...] = ()) -> Fleet:
    about = About("Cluster west", notice, NOW, "controller, gpu.fleet 0.1.0, ansible-core 2.19.0")
    return assemble(about, nodes, {each.name: judge(each, accept) for each in nodes if each.in_run}, warnings)
