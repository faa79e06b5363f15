"""One node's part in a measurement across nodes: runs its agent to the end; the node where all meet leads the search as well."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Deadline
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.agent_process import (
    AgentEndedError,
    AgentProcess,
    Message,
    container_command,
    native_command,
)
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.status import Status
from ansible_collections.gpu.fleet.plugins.module_utils.observe.runtime import CONTAINER, engine_gpus, python_with_torch

START_S = 90.0  # for a container to start and PyTorch to be imported, on a busy machine

_LOOK_S = 1.0
_KNOCKED_AT = 2
_PARTING_S = 15.0
_INFINIBAND = Path("/dev/infiniband")


@dataclass(frozen=True)
class Amounts:
    """What one round measures: bytes of an all-reduce, for how long, and the most that a round may take (seconds)."""

    bytes: int
    measure_s: float
    limit_s: float


@dataclass(frozen=True)
class Request:
    """What is asked of a node. All meet at the first of `nodes`."""

    node: str
    nodes: tuple[str, ...]
    address: str
    port: int
    interface: str
    device: str
    runtime: str
    image: str
    folder: Path
    token: str
    meet_s: float
    seconds: float
    lease_s: float
    amounts: Amounts
    gate_gb_s: float | None
    fraction: float

    @property
    def leads(self) -> bool:
        """Whether all meet here."""
        return self.node == self.nodes[0]


class WithdrawnError(RuntimeError):
    """Whoever wanted this is gone."""


class Conversation:
    """What is said with the agent, in time, and for as long as somebody wants it."""

    def __init__(self, agent: AgentProcess, wanted: Callable[[], bool]) -> None:
        """Begin."""
        self._agent, self._wanted = agent, wanted

    def tell(self, message: Message) -> None:
        """Say something to the agent."""
        self._agent.tell(message)

    def hear(self, key: str, seconds: float) -> Message:
        """Wait for the message that has this key. Raises AgentEndedError with what it said instead, and WithdrawnError."""
        until = time.monotonic() + seconds
        while True:
            if not self._wanted():
                raise WithdrawnError("whoever started this is gone")
            if time.monotonic() > until:
                raise AgentEndedError(f"no answer within {seconds:.0f} s")
            message = self._agent.hear(_LOOK_S)
            if message and key in message:
                return message
            if message and "end" in message:
                raise AgentEndedError(message["end"])


def take_part(request: Request, lead: Callable[[Conversation], Message]) -> Message:
    """Run this node's agent until the search is over: `end` says how that was; where all meet, there is what `lead` found as well."""
    status = Status(request.token)
    try:
        agent = _start(request)
    except (AgentEndedError, ValueError) as error:
        return {"end": str(error)}
    talk = Conversation(agent, lambda: status.is_wanted(request.lease_s if request.leads else None))
    found: Message = {}
    try:
        agent.tell(_job(request))
        found["here"] = talk.hear("here", START_S)["here"]
        if request.leads:
            found.update(lead(talk))
            agent.tell({"end": "the search is over"})
        found["end"] = talk.hear("end", _PARTING_S if request.leads else request.seconds)["end"]
    except (AgentEndedError, WithdrawnError) as error:
        found["end"] = str(error)
    finally:
        agent.end()
    return found


def _start(request: Request) -> AgentProcess:
    limit = Deadline(START_S)
    if request.runtime == CONTAINER:
        name = f"gpu-fabric-{request.token[:12]}"
        devices = [str(_INFINIBAND)] if _INFINIBAND.is_dir() else []
        return AgentProcess(container_command(request.image, engine_gpus(limit), name, request.folder, devices), name)
    return AgentProcess(native_command(python_with_torch(limit), request.folder))


def _job(request: Request) -> Message:
    job = {
        "node": request.node,
        "meeting": [request.address, request.port],
        "interface": request.interface,
        "device": request.device,
        "meet_s": request.meet_s,
        "seconds": request.seconds,
        "neighbours": _neighbours(request),
    }
    return {**job, "names": list(request.nodes)} if request.leads else job


def _neighbours(request: Request) -> list[str]:
    """Choose two nodes at whose doors this one knocks, so that two knock at each: one alone would not tell whose fault it is."""
    place = request.nodes.index(request.node)
    following = [*request.nodes[place + 1 :], *request.nodes[:place]]
    return following[:_KNOCKED_AT]
