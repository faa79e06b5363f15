"""What waits for a reboot: a node that is half upgraded, or that would come back from its next reboot without its GPUs."""

from __future__ import annotations

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import node
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_NAMED = 4


def check(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require that nothing waits for a reboot, and that the next one finds an NVIDIA module."""
    about, found = About("pending_reboot", node(observation)), observation.system.pending_reboot
    absent = about.without(pending_reboot=found)
    if absent:
        return [absent]
    findings = []
    if found.value.required:
        packages = found.value.packages
        because = f" (for {', '.join(packages[:_NAMED])}{' and more' if len(packages) > _NAMED else ''})" if packages else ""
        findings.append(
            about.failed(
                f"found a reboot required{because}, expected none: drain the node and reboot it",
                observed=list(packages),
                expected=[],
                source="/run/reboot-required",
                action="reboot",
                kills_job=False,
            )
        )
    kernels = found.value.newer_kernels_without_module
    if kernels:
        findings.append(
            about.failed(
                f"found the newer kernel {kernels[-1]} without an NVIDIA module, expected one as for the running kernel, or the next boot "
                f"comes up without GPUs: run site.yml, whose role nvidia_driver brings it, or install linux-headers-{kernels[-1]} and run "
                "dkms autoinstall, or remove that kernel",
                observed=list(kernels),
                expected="an NVIDIA module for each newer kernel",
                source="/lib/modules",
                action="investigate",
                kills_job=False,
            )
        )
    return findings or [about.passed("no reboot is pending", observed=[], expected=[], source="/run/reboot-required, /lib/modules")]
