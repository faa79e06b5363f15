"""Whatever is a measured rate: held against the median of the fleet's GPUs of the same model, with a robust deviation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.compare.items import models
from ansible_collections.gpu.fleet.plugins.module_utils.compare.traits import PREFIX
from ansible_collections.gpu.fleet.plugins.module_utils.finding import FAIL, PASS, About, Finding, Subject
from ansible_collections.gpu.fleet.plugins.module_utils.report import words
from ansible_collections.gpu.fleet.plugins.module_utils.report.findings import Quantity
from ansible_collections.gpu.fleet.plugins.module_utils.report.identity import known
from ansible_collections.gpu.fleet.plugins.module_utils.report.node import Node

# The median absolute deviation of normally distributed values, times this, is their standard deviation.
_NORMAL = 1.4826
_DEVIATIONS = 5.0  # of a million healthy GPUs, not one is so slow by chance
_LEAST, _MOST = 0.05, 0.3  # part of the median: less is noise however alike the others are, more no spread excuses
_VALUES, _NODES = 3, 2  # with fewer there is nothing to compare with
# Where the conditions of a check's figures stand in what the probe measured, and how they are written.
_OF_A_RANK = {
    "matmul": ("matmul", "{dtype} {size}^3"),
    "matmul_fp8": ("matmul_fp8", "{dtype} {size}^3"),
    "memory_bandwidth": ("memory", "{bytes} bytes"),
    "host_to_device": ("host", "{bytes} bytes"),
    "device_to_host": ("host", "{bytes} bytes"),
}
_COLLECTIVES = {"allreduce": "all_reduce", "reduce_scatter": "reduce_scatter", "all_gather": "all_gather"}
_GROUP = "{ranks} ranks with {bytes} bytes {dtype}"


@dataclass(frozen=True)
class Figure:
    """One measured rate, of which more is better."""

    node: str
    check: str
    subject: Subject
    value: float
    unit: str
    model: str
    conditions: str
    failed: bool

    @property
    def peers(self) -> tuple[str, ...]:
        """What figures must have in common to be compared."""
        return self.check, self.unit, self.model, self.conditions


@dataclass(frozen=True)
class Gate:
    """The slowest that is still one of the fleet."""

    minimum: float
    middle: float
    count: int
    nodes: int


def gate(values: Collection[float], nodes: int) -> Gate | None:
    """Say how slow is too slow; None where the values are too few to tell."""
    if len(values) < _VALUES or nodes < _NODES:
        return None
    middle = median(values)
    spread = median(abs(value - middle) for value in values) * _NORMAL * _DEVIATIONS
    allowed = min(max(spread, _LEAST * middle), _MOST * middle)
    return Gate(middle - allowed, middle, len(values), nodes)


def judge(nodes: Collection[Node], is_known: Callable[[str], bool]) -> dict[str, list[Finding]]:
    """Hold every node's rates against the fleet's; a node that measured none gets no finding."""
    figures = {node.name: list(_figures(node)) for node in nodes}
    together: dict[tuple[str, ...], list[Figure]] = defaultdict(list)
    for figure in (figure for own in figures.values() for figure in own):
        together[figure.peers].append(figure)
    gates = {peers: gate([figure.value for figure in same], len({figure.node for figure in same})) for peers, same in together.items()}
    return {name: list(_of_node(name, own, gates, is_known)) for name, own in figures.items()}


def _figures(node: Node) -> Iterator[Figure]:
    """Take what the GPUs did: what a CPU did in their place says nothing, and what is no rate depends on what else runs."""
    probe = known(node.observation, "probe")
    if not isinstance(probe, dict) or probe.get("device") != "cuda":
        return
    everywhere = ", ".join(models(node.observation))
    gpus = known(node.observation, "nvml", "gpus")
    by_address = {str(known(gpu, "pci_bus_id")): str(known(gpu, "name")) for gpu in gpus} if isinstance(gpus, list) else {}
    for finding in node.findings:
        quantity = Quantity.read(finding.observed)
        if quantity and quantity.unit.endswith("/s") and finding.status in (PASS, FAIL) and everywhere:
            model = by_address.get(finding.subject.id, everywhere) if finding.subject.kind == "gpu" else everywhere
            failed = finding.status == FAIL
            yield Figure(
                node.name, finding.check, finding.subject, quantity.value, quantity.unit, model, _conditions(probe, finding.check), failed
            )


def _conditions(probe: Any, check: str) -> str:
    """Write what the figures of a check depend on besides the GPU. Of what no condition is known here, the level is one."""
    ranks = [each for each in _list(probe.get("ranks")) if isinstance(each, dict)]
    if check in _OF_A_RANK:
        part, said = _OF_A_RANK[check]
        return _said([known(rank, part) for rank in ranks], said)
    if check in _COLLECTIVES:
        return _said([each for each in _list(known(probe, "collectives")) if each.get("operation") == _COLLECTIVES[check]][-1:], _GROUP)
    if check == "peer_copies":
        return f"{len(ranks)} GPUs, {_said(_list(known(probe, 'peers')), '{bytes} bytes')}"
    return f"level {probe.get('level')}"


def _said(measured: Iterable[Any], words_for_one: str) -> str:
    return "; ".join(sorted({words_for_one.format_map(each) for each in measured if isinstance(each, dict)}))


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def _of_node(
    name: str, figures: Iterable[Figure], gates: dict[tuple[str, ...], Gate | None], is_known: Callable[[str], bool]
) -> Iterator[Finding]:
    by_check: dict[str, list[Figure]] = defaultdict(list)
    for figure in figures:
        by_check[figure.check].append(figure)
    for check, own in by_check.items():
        slow = [_slow(figure, found, is_known) for figure in own if (found := gates[figure.peers]) and figure.value < found.minimum]
        findings = [finding for finding in slow if finding]
        yield from findings or [_good(About(f"{PREFIX}{check}", Subject("node", name)), own, gates, is_known)]


def _slow(figure: Figure, found: Gate, is_known: Callable[[str], bool]) -> Finding | None:
    if figure.failed:
        return None  # said by the node's own check
    measured, wanted = words.with_unit(figure.value, figure.unit), words.with_unit(_readable(found.minimum), figure.unit)
    source = f"the median {words.with_unit(_readable(found.middle), figure.unit)} of {_peers(found)} {_why(figure, is_known)}"
    return About(f"{PREFIX}{figure.check}", figure.subject).failed(
        f"found {measured}, expected at least {wanted} by {source}: look at its temperature, clocks, power limit and PCIe link under load, "
        "and who else uses it",
        # As text: the node's own check has put the figure into the plot.
        observed=measured,
        expected=f"at least {wanted}",
        source=source,
        action="investigate",
        kills_job=False,
    )


def _good(about: About, own: list[Figure], gates: dict[tuple[str, ...], Gate | None], is_known: Callable[[str], bool]) -> Finding:
    found = gates[own[0].peers]
    if found is None:
        return about.skipped(
            f"too few figures of this run were measured alike ({own[0].model}, {own[0].conditions}) to compare with"
            + ("" if is_known(own[0].model) else "; the reference table does not know this GPU either, so nothing gates it")
        )
    if any(figure.failed for figure in own):
        return about.skipped(f"see the check {own[0].check}")
    wanted = words.with_unit(_readable(found.minimum), own[0].unit)
    return about.passed(f"at least {wanted}, as {_peers(found)} {_why(own[0], is_known)}", source="the nodes of this run")


def _peers(found: Gate) -> str:
    return f"{words.count(found.count, 'figure')} on {words.count(found.nodes, 'node')}"


def _why(figure: Figure, is_known: Callable[[str], bool]) -> str:
    return f"({figure.model})" if is_known(figure.model) else f"({figure.model}, which the reference table does not know: this is its gate)"


def _readable(value: float) -> float:
    return float(f"{value:.4g}")
