"""InfiniBand and RoCE: are the ports in use active and as fast as they should be, do they lose their links, is their firmware alike."""

from __future__ import annotations

import re

from ansible_collections.gpu.fleet.plugins.module_utils.expectation import SOURCE, Expectation
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding, Subject, at_least, quantity
from ansible_collections.gpu.fleet.plugins.module_utils.judge.subjects import node
from ansible_collections.gpu.fleet.plugins.module_utils.observation import Observation
from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import Adapter, Port
from ansible_collections.gpu.fleet.plugins.module_utils.tables import Tables

_ACTIVE = ("ACTIVE", "ACTIVE_DEFER")
_INFINIBAND = "InfiniBand"
_WAITING = ("INIT", "ARMED")
_RATE = re.compile(r"(\d+(?:\.\d+)?) Gb/sec(?: \((\d+)X)?")
_KERNEL = "/sys/class/infiniband"


def ports(observation: Observation, expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require the ports that are in use to be active, as many and as fast as the inventory says.

    A port that was never up since the machine's start is not in use: nobody can tell it from one without a cable.
    """
    about, adapters, wanted = About("infiniband", node(observation)), observation.system.adapters, expectation.infiniband_ports
    if adapters.is_unsupported and wanted:
        return [_too_few(about, [], wanted, [])]
    absent = about.without(RDMA_adapters=adapters)
    if absent:
        return [absent]
    every = each_port(observation)
    active = [(name, port) for name, port in every if is_active(port)]
    findings = [finding for name, port in every for finding in _port(About("infiniband", Subject("link", name)), port, expectation, active)]
    if wanted is not None and len(active) < wanted:
        findings.insert(0, _too_few(about, [name for name, _port in active], wanted, [n for n, port in every if not is_active(port)]))
    if findings:
        return findings
    if not active:
        return [about.skipped("no port of this node's RDMA adapters is in use", observed=0)]
    rates = sorted({port.rate.value for _name, port in active if port.rate.is_known})
    source = SOURCE if wanted is not None else _KERNEL
    return [about.passed(f"{len(active)} active ports: {', '.join(rates)}", observed=len(active), expected=wanted, source=source)]


def firmware(observation: Observation, _expectation: Expectation, _tables: Tables) -> list[Finding]:
    """Require one firmware version on all adapters of the same board."""
    about, adapters = About("infiniband_firmware", node(observation)), observation.system.adapters
    absent = about.without(RDMA_adapters=adapters)
    if absent:
        return [absent]
    versions: dict[str, dict[str, list[str]]] = {}
    for adapter in adapters.value:
        if adapter.board.is_known and adapter.firmware.is_known:
            versions.setdefault(adapter.board.value, {}).setdefault(adapter.firmware.value, []).append(adapter.name)
    mixed = {board: found for board, found in versions.items() if len(found) > 1}
    if not mixed:
        observed = sorted({version for found in versions.values() for version in found})
        return [about.passed("adapters of the same board have the same firmware", observed=observed, source=_KERNEL)]
    return [
        about.failed(
            f"found adapters of board {board} with firmware "
            + ", ".join(f"{version} ({', '.join(names)})" for version, names in sorted(found.items()))
            + ", expected one version: update the older ones (mlxfwmanager) and reset them",
            observed=dict(sorted(found.items())),
            expected="one version",
            source="this node's other adapters",
            action="investigate",
            kills_job=False,
        )
        for board, found in mixed.items()
    ]


def each_port(observation: Observation) -> list[tuple[str, Port]]:
    """List all ports with their names, such as `mlx5_0/1`."""
    adapters: tuple[Adapter, ...] = observation.system.adapters.value if observation.system.adapters.is_known else ()
    return [(f"{adapter.name}/{port.number}", port) for adapter in adapters for port in adapter.ports]


def is_active(port: Port) -> bool:
    """Say whether jobs can use it."""
    return port.state.is_known and port.state.value in _ACTIVE


def is_infiniband(port: Port) -> bool:
    """Say whether it is InfiniBand and not Ethernet, which may serve quite other ends than training."""
    return port.link_layer.is_known and port.link_layer.value == _INFINIBAND


def gb_s(port: Port) -> float | None:
    """Read its rate in Gb/s; None where it does not tell one."""
    found = _RATE.match(port.rate.value) if port.rate.is_known else None
    return float(found[1]) if found else None


def _port(about: About, port: Port, expectation: Expectation, active: list[tuple[str, Port]]) -> list[Finding]:
    """Judge one port; nothing to say of one that is good, or not in use."""
    absent = about.without(state=port.state)
    if absent:
        return [absent]
    if is_active(port):
        return _rate(about, port, expectation)
    state = port.state.value
    if state in _WAITING and is_infiniband(port):
        return [
            about.failed(
                f"found the port {about.subject.id} in state {state}, expected ACTIVE: its cable is good, and no subnet manager "
                "has set it up; look for the subnet manager with sminfo",
                observed=state,
                expected="ACTIVE",
                source=_KERNEL,
                action="investigate",
                kills_job=not active,
            )
        ]
    lost = port.counters.value.get("link_downed", 0) if port.counters.is_known else 0
    switched_off = (port.enabled.is_known and not port.enabled.value) or (
        port.physical_state.is_known and port.physical_state.value == "Disabled" and is_infiniband(port)
    )
    if not lost or switched_off:
        return []
    return [
        about.failed(
            f"found the port {about.subject.id} {state}, expected ACTIVE: it has been up since the machine's start and lost its link; "
            "look at its cable and at the switch's port",
            observed=state,
            expected="ACTIVE",
            source="the port was up before",
            action="investigate",
            kills_job=not active,
        )
    ]


def _rate(about: About, port: Port, expectation: Expectation) -> list[Finding]:
    wanted = expectation.infiniband_rate_gb_s
    absent = about.without(rate=port.rate) if wanted is not None else None
    if absent:
        return [absent]
    found = _RATE.match(port.rate.value) if port.rate.is_known else None
    if found is None:
        return [] if wanted is None else [about.error(f"found the rate {port.rate.value!r}, expected one such as '400 Gb/sec (4X NDR)'")]
    rate, one_lane = float(found[1]), found[2] == "1" and is_infiniband(port)
    if (wanted is None and not one_lane) or (wanted is not None and rate >= wanted):
        return []
    expected = f"{wanted:g} Gb/s" if wanted is not None else "more than one lane of an InfiniBand link"
    return [
        about.failed(
            f"found the port {about.subject.id} at {port.rate.value}, expected {expected}: look at its cable and at both ends (mlxlink)",
            observed=quantity(rate, "Gb/s"),
            expected=at_least(wanted, "Gb/s") if wanted is not None else "more than 1X",
            source=SOURCE if wanted is not None else "InfiniBand cables have 2 or 4 lanes",
            action="investigate",
            kills_job=False,
        )
    ]


def _too_few(about: About, active: list[str], wanted: int, inactive: list[str]) -> Finding:
    others = f" (not active: {', '.join(inactive)})" if inactive else ""
    return about.failed(
        f"found {len(active)} active RDMA ports{others}, expected {wanted}: look at ibstat, the cables and the adapters' driver",
        observed=len(active),
        expected=wanted,
        source=SOURCE,
        action="investigate",
        kills_job=True,
    )
