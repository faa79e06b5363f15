"""Over what NCCL really went, by its own log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.gpu.fleet.plugins.module_utils.fabric.judged import Results
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.rounds import Fabric
from ansible_collections.gpu.fleet.plugins.module_utils.finding import About, Finding, Subject

CHECK = "across_nodes_transport"

_SOCKETS = "NET/Socket"
_NAMED = 4


@dataclass(frozen=True)
class Adapters:
    """The InfiniBand and RoCE adapters that each node's agent sees, and the nodes that have some and lack the library for them."""

    of: Mapping[str, Sequence[str]]
    without_verbs: Sequence[str] = ()
    image: str = ""  # in which the agents run; "" is natively

    @property
    def rails(self) -> list[str]:
        """Those that all nodes have: one by itself can be measured only where both sides have it."""
        first, *others = self.of.values()
        return [rail for rail in first if all(rail in other for other in others)]

    def obstacle(self) -> str:
        """Say why NCCL cannot use them, whatever their state; "" where nothing is known against it."""
        if self.without_verbs:
            place = f"the image {self.image}" if self.image else "the system"
            step = "build an image that has them and name it (fabric_readiness_image)" if self.image else "install them there"
            return (
                f"found no libibverbs in {place} on {_some(self.without_verbs)}: NCCL cannot use InfiniBand or RoCE from within it, "
                f"expected libibverbs1 and ibverbs-providers in it: {step}"
            )
        bare = [node for node, names in self.of.items() if not names]
        if 0 < len(bare) < len(self.of):
            return (
                f"found no InfiniBand or RoCE adapter with an active port on {_some(bare)}, expected one on every node, since others have "
                "some: look at ibstat, cables and drivers there"
            )
        return ""


def judge(fabric: Fabric, results: Results, adapters: Adapters) -> Iterator[tuple[str, Finding]]:
    """Find that NCCL fell back to sockets, which it does without a word, where there are faster ways.

    What keeps it from the adapters on one node keeps it from them on all that measure with it: that cause is told, and no node is accused.
    """
    ways: dict[str, set[str]] = {}
    for _round, outcomes in results:
        for outcome in outcomes:
            for node in outcome.group.nodes if outcome.transport else ():
                ways.setdefault(node, set()).add(outcome.transport)
    obstacle = adapters.obstacle()
    for node in fabric.nodes:
        about, seen = About(CHECK, Subject("node", node)), ", ".join(sorted(ways.get(node, ())))
        only_sockets = all(_SOCKETS in way for way in ways.get(node, ()))
        if not any(adapters.of.values()):
            yield node, about.skipped("no node has an InfiniBand or RoCE adapter with an active port that its agent sees")
        elif obstacle and only_sockets:
            yield node, about.error(obstacle, expected="NET/IB", source="NCCL's own log")
        elif not seen:
            yield node, about.error("NCCL did not tell over what it went")
        elif only_sockets:
            names = ", ".join(adapters.of[node][:_NAMED])
            yield (
                node,
                about.failed(
                    f"found that NCCL goes over {seen}, expected over the adapters ({names}): look at NCCL's log (NCCL_DEBUG=INFO), at the "
                    "devices and drivers that the container sees (/dev/infiniband, ibverbs-providers), and at NCCL_IB_DISABLE",
                    observed=seen,
                    expected="NET/IB",
                    source="NCCL's own log",
                    action="investigate",
                    kills_job=False,
                ),
            )
        else:
            yield node, about.passed(seen, observed=seen, expected="NET/IB", source="NCCL's own log")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
