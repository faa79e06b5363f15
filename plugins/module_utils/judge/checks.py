"""All checks, in the order in which their findings are read; and the one place that runs them, which lets none go silent."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import ERROR, SKIP, About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge import (
    clocks,
    count,
    driver,
    memory,
    nvlink,
    pcie,
    persistence,
    probe,
    temperature,
    xid,
)
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import Check, node
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

CHECKS = (
    Check("driver", driver.starts),
    Check("driver_version", driver.version),
    Check("driver_library", driver.library),
    Check("kernel_module", driver.kernel_module),
    Check("gpu_count", count.count),
    Check("gpu_answers", count.answers),
    Check("gpu_model", count.model),
    Check("device_nodes", count.device_nodes),
    Check("ecc", memory.ecc),
    Check("row_remapping", memory.row_remapping),
    Check("retired_pages", memory.retired_pages),
    Check("recovery_action", memory.recovery_action),
    Check("xid", xid.check),
    Check("nvlink", nvlink.links),
    Check("fabric", nvlink.fabric),
    Check("pcie_width", pcie.width),
    Check("clocks", clocks.event_reasons),
    Check("temperature", temperature.check),
    Check("persistence", persistence.mode, required=False),
    Check("probe", probe.ran, active=True),
    Check("torch_version", probe.torch_version, active=True),
    Check("matmul", probe.matmul, active=True),
    Check("allreduce", probe.allreduce, active=True),
)


def judge(
    observation: Observation, expectation: Expectation, tables: Tables, *, active: bool, checks: tuple[Check, ...] = CHECKS
) -> list[Finding]:
    """Run the checks. Each gives at least one finding: a check that breaks, or says nothing, is an error."""
    findings: list[Finding] = []
    for check in checks:
        if active or not check.active:
            findings += _run(check, observation, expectation, tables)
    return findings


def _run(check: Check, observation: Observation, expectation: Expectation, tables: Tables) -> list[Finding]:
    about = About(check.name, node(observation))
    if expectation.gpu_count == 0 and check.name != "gpu_count":
        return [about.skipped("the inventory expects no GPU here")]
    try:
        findings = check.run(observation, expectation, tables)
    except Exception as error:  # noqa: BLE001 - a broken check is a finding, never silence
        return [about.error(f"this check is broken, please report it: {type(error).__name__}: {error}")]
    if not findings:
        return [about.error("this check is broken, please report it: it gave no finding")]
    return findings if check.required else [_optional(finding) for finding in findings]


def _optional(finding: Finding) -> Finding:
    if finding.status != ERROR:
        return finding
    return replace(finding, status=SKIP, action="none", message=f"{finding.message} (not needed for the verdict)")
