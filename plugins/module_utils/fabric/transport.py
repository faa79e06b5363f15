"""Over what NCCL really went, by its own log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.gpu.fleet.plugins.module_utils.fabric.judged import Results
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rounds import Fabric
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding, Subject

CHECK = "across_nodes_transport"

_SOCKETS = "NET/Socket"
_NAMED = 4


def judge(fabric: Fabric, results: Results, adapters: Sequence[str]) -> Iterator[tuple[str, Finding]]:
    """Find that NCCL fell back to sockets, which it does without a word, where there are faster ways."""
    ways: dict[str, set[str]] = {}
    for _round, outcomes in results:
        for outcome in outcomes:
            for node in outcome.group.nodes if outcome.transport else ():
                ways.setdefault(node, set()).add(outcome.transport)
    for node in fabric.nodes:
        about, seen = About(CHECK, Subject("node", node)), ", ".join(sorted(ways.get(node, ())))
        if not adapters:
            yield node, about.skipped("not every node has an InfiniBand or RoCE adapter that the agent sees")
        elif not seen:
            yield node, about.error("NCCL did not tell over what it went")
        elif all(_SOCKETS in way for way in ways[node]):
            yield (
                node,
                about.failed(
                    f"found that NCCL goes over {seen}, expected over the adapters ({', '.join(adapters[:_NAMED])}): look at NCCL's log "
                    "(NCCL_DEBUG=INFO), at the devices and drivers that the container sees (/dev/infiniband), and at NCCL_IB_DISABLE",
                    observed=seen,
                    expected="NET/IB",
                    source="NCCL's own log",
                    action="investigate",
                    kills_job=False,
                ),
            )
        else:
            yield node, about.passed(seen, observed=seen, expected="NET/IB", source="NCCL's own log")
