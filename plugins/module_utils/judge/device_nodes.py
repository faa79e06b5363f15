"""Device nodes: has each GPU the one through which programs reach it."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import listed, node, over_gpus
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Gpu, Observation
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables


def each_has_one(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require a device node for each GPU, and no node left over."""
    about, nodes = About("device_nodes", node(observation)), observation.device_nodes
    absent = about.without(device_nodes=nodes)
    if absent:
        return [absent]

    def judge(about: About, gpu: Gpu) -> Finding:
        minor = gpu.minor_number
        absent = about.without(minor_number=minor)
        if absent:
            return absent
        if minor.value in nodes.value:
            return about.passed("each has its device node", observed=f"/dev/nvidia{minor.value}")
        return about.failed(
            f"found no /dev/nvidia{minor.value}, expected it for this GPU: create it with nvidia-modprobe -c {minor.value}",
            observed=[f"/dev/nvidia{number}" for number in nodes.value],
            expected=f"/dev/nvidia{minor.value}",
            source="NVML minor number",
            action="investigate",
            kills_job=True,
        )

    findings = over_gpus("device_nodes", observation, judge)
    shown = len(listed(observation))
    if observation.nvml.gpus.is_known and len(nodes.value) > shown:
        findings.append(
            about.failed(
                f"found {len(nodes.value)} device nodes /dev/nvidia0 and on, expected {shown}, as many as NVML shows: "
                "a GPU may have gone since the start; compare lspci -d 10de: with nvidia-smi -L",
                observed=len(nodes.value),
                expected=shown,
                source="NVML",
                action="investigate",
                kills_job=False,
            )
        )
    return findings
