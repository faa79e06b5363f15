"""All checks, in the order in which their findings are read; and the one place that runs them, which lets none go silent."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import ERROR, SKIP, About, Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge import (
    bandwidth,
    burn_in,
    clocks,
    collectives,
    container_runtime,
    count,
    device_nodes,
    driver,
    driver_fit,
    ecc,
    fabric_manager,
    gpudirect,
    host_copies,
    identity,
    infiniband,
    infiniband_errors,
    inforom,
    kernel_driver,
    machine,
    matmul,
    memory,
    mig,
    nvlink,
    nvlink_errors,
    pcie,
    peer_copies,
    peer_to_peer,
    pending_reboot,
    persistence,
    power,
    probe,
    processes,
    storage,
    temperature,
    time_sync,
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
    Check("kernel_module_flavour", driver_fit.flavour, required=False),
    Check("driver_cuda", driver_fit.cuda),
    Check("gpu_count", count.count),
    Check("gpu_answers", count.answers),
    Check("gpu_model", count.model),
    Check("vbios", identity.vbios, required=False),
    Check("gpu_changes", identity.changes, required=False),
    Check("device_nodes", device_nodes.each_has_one),
    Check("ecc", ecc.uncorrected),
    Check("sram", ecc.sram),
    Check("row_remapping", memory.row_remapping),
    Check("remap_availability", memory.remap_availability, required=False),
    Check("retired_pages", memory.retired_pages),
    Check("recovery_action", memory.recovery_action),
    Check("inforom", inforom.checksums, required=False),
    Check("xid", xid.check),
    Check("nvlink", nvlink.links),
    Check("nvlink_errors", nvlink_errors.check, required=False),
    Check("fabric", nvlink.fabric),
    Check("pcie_width", pcie.width),
    Check("pcie_generation", pcie.generation),
    Check("pcie_replays", pcie.replays, required=False),
    Check("clocks", clocks.event_reasons),
    Check("application_clocks", clocks.application_clocks, required=False),
    Check("power_limit", power.limit),
    Check("temperature", temperature.check),
    Check("memory_temperature", temperature.memory, required=False),
    Check("mig", mig.mode),
    Check("compute_mode", processes.compute_mode),
    Check("processes", processes.leftover),
    Check("persistence", persistence.mode, required=False),
    Check("fabric_manager", fabric_manager.check),
    Check("gpu_kernel_driver", kernel_driver.check, required=False),
    Check("infiniband", infiniband.ports),
    Check("infiniband_errors", infiniband_errors.check, required=False),
    Check("infiniband_firmware", infiniband.firmware, required=False),
    Check("gpudirect_rdma", gpudirect.check, required=False),
    Check("pci_acs", peer_to_peer.access_control, required=False),
    Check("iommu", peer_to_peer.iommu, required=False),
    Check("cpu_count", machine.cpu_count),
    Check("host_memory", machine.memory),
    Check("hugepages", machine.hugepages),
    Check("limits", machine.limits),
    Check("shared_memory", storage.shared_memory),
    Check("image_store", storage.image_store),
    Check("container_runtime", container_runtime.engine),
    Check("cdi", container_runtime.cdi),
    Check("time_sync", time_sync.check, required=False),
    Check("pending_reboot", pending_reboot.check, required=False),
    Check("probe", probe.ran, active=True),
    Check("torch_version", probe.torch_version, active=True),
    Check("matmul", matmul.product, active=True),
    Check("matmul_fp8", matmul.fp8, required=False, active=True),
    Check("clocks_under_load", matmul.clocks, active=True),
    Check("memory_bandwidth", bandwidth.memory, active=True),
    Check("host_to_device", host_copies.to_device, active=True),
    Check("device_to_host", host_copies.from_device, active=True),
    Check("peer_copies", peer_copies.check, active=True),
    Check("allreduce", collectives.all_reduce, active=True),
    Check("reduce_scatter", collectives.reduce_scatter, active=True),
    Check("all_gather", collectives.all_gather, active=True),
    Check("burn_in", burn_in.check, active=True),
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
