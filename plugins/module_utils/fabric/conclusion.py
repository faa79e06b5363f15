"""What the search of a fabric ends with: who is at fault and by what, who is good, and what stays open."""

from __future__ import annotations

from dataclasses import dataclass

ABSENT, DIED, HANG, WRONG, SLOW = "absent", "died", "hang", "wrong", "slow"


@dataclass(frozen=True)
class Measured:
    """One measurement that bears on a verdict."""

    round: int
    nodes: tuple[str, ...]
    busbw_gb_s: float | None
    gate_gb_s: float | None
    transport: str = ""
    why: str = ""


@dataclass(frozen=True)
class BadNode:
    """A node at fault, and the measurements that show it."""

    node: str
    kind: str
    evidence: tuple[Measured, ...]
    rails: tuple[int, ...] = ()  # where only some of its rails are slow


@dataclass(frozen=True)
class BadPair:
    """Two nodes that are good with others, and not with each other."""

    nodes: tuple[str, str]
    kind: str
    evidence: tuple[Measured, ...]
    rails: tuple[int, ...] = ()


@dataclass(frozen=True)
class Conclusion:
    """The end of the search. Each node is in exactly one of: bad_nodes, good, undecided, unmeasured."""

    rounds: int
    bad_nodes: tuple[BadNode, ...] = ()
    bad_pairs: tuple[BadPair, ...] = ()
    bad_rails: tuple[int, ...] = ()  # slow between all nodes
    good: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()  # neither shown to be good nor to be at fault
    undecided_pairs: tuple[BadPair, ...] = ()  # bad together, and not proven
    unmeasured: tuple[str, ...] = ()
    everywhere: bool = False  # no group at all was good: that blames nobody
    unexplained: tuple[Measured, ...] = ()  # groups that are bad though each node and each pair in them is good
    whole: Measured | None = None  # the largest good group
    stopped: bool = False  # at the stated maximum of rounds, with questions open
