"""Every code of NVIDIA's catalogue, from the kernel log's bytes to the finding, as xid.txt has it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Deadline
from ansible_collections.gpu.fleet.plugins.module_utils.expectation import Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import Finding
from ansible_collections.gpu.fleet.plugins.module_utils.judge import xid
from ansible_collections.gpu.fleet.plugins.module_utils.observe import kernel_log
from unit.module_utils.healthy_node import TABLES, address, observation

FILE = Path(__file__).with_name("xid.txt")
LINES = [
    tuple(cell.strip() for cell in line.split("|"))
    for line in FILE.read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
HEALTHY = observation()


def read(error: str, root: Path) -> Finding:
    """Have the check read it from the kernel's log."""
    (root / "dev").mkdir()
    said = f"NVRM: Xid (PCI:0000:61:00): {error}"
    (root / "dev/kmsg").write_text(f"5,0,0,-;Linux version 6.1.0\n3,1,7000000,-;{said}\n SUBSYSTEM=pci\n", encoding="utf-8")
    log = kernel_log.observe(Deadline(5), root, journal="/nonexistent/journalctl")
    (finding,) = xid.check(replace(HEALTHY, kernel_log=log), Expectation(), TABLES)
    return finding


@pytest.mark.parametrize(("code", "text", "action"), LINES, ids=lambda cell: cell[:40])
def test_a_line_of_the_kernel_log_means_what_nvidia_says(code: str, text: str, action: str, tmp_path: Path) -> None:
    finding = read(f"{code}, {text}", tmp_path)
    if not action:
        assert finding.status == "pass"
        assert f"Xid {code} on {address(3)}" in finding.message
        return
    name, *kills = action.split()
    assert (finding.status, finding.action, finding.kills_job) == ("fail", name, kills == ["!"])
    assert (finding.subject.kind, finding.subject.index, finding.subject.id) == ("gpu", 3, address(3))
    assert finding.source
    if name != "investigate":
        assert text in finding.message


def test_every_code_has_its_line() -> None:
    codes = {int(code) for code, _, _ in LINES}
    assert codes - set(TABLES.xids) == {9999}
    assert set(TABLES.xids) <= codes
    assert len(LINES) == len(set(LINES))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("0x021425c6 0x00000000", "the device at the other end"),
        ("0x004425c6 0x00000000", "look at the link's signal"),
        ("0x00f425c6 0x00000000", "look for the software"),
        ("0x028425c6 0x00000000", "the host's and the BMC's logs"),
    ],
)
def test_where_nvidia_looks_for_the_cause_is_said(words: str, said: str, tmp_path: Path) -> None:
    finding = read(f"149, NETIR_LINK_EVT Fatal XC0 i0 Link 01 ({words})", tmp_path)
    assert said in finding.message
    assert "NVLINK_NETIR_ERROR (NETIR_LINK_EVT, link 1)" in finding.message
    assert "xid_nvlink5.csv" in str(finding.source)
