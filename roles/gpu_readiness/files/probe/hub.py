"""Where all nodes meet: hands out the rounds and collects what each node tells. It judges nothing, and runs in a process of its own.

It is PyTorch's own store. Keys: `node/NAME` who has come, `knocked/NAME` at whose door that one knocked in vain, `round/N` what to do,
`told/N/NAME` what came of it, and counters of them.
"""

from __future__ import annotations

import datetime as dt
import json
import resource
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from interfaces import knock
from workers import Emit, Hear, Message

_LOOK_S = 0.05
_SLACK_S = 10.0  # between the end of a round and the word of it: what hangs is ended first, and a busy node is slow
_PARTING_S = 1.0
_WAIT_S = 2
_KNOCK_S = 3.0


@dataclass(frozen=True)
class Meeting:
    """Where all meet, and how long one waits for the others there."""

    address: str
    port: int
    seconds: float


def serve(torch: Any, meeting: Meeting, names: list[str], emit: Emit, hear: Hear) -> None:
    """Be the meeting place: say who has come, then pass on each round, until there is none."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))  # a connection for each node and each of its processes
    store = torch.distributed.TCPStore("localhost", meeting.port, is_master=True, wait_for_workers=False, timeout=_timeout(_WAIT_S))
    emit({"open": True})
    _until(lambda: store.add("nodes", 0) >= len(names), time.monotonic() + meeting.seconds)
    met = _read(store, "node", names)
    store.set("met", "all who have come")
    _until(
        lambda: store.add("knocks", 0) >= len(met),
        time.monotonic() + _KNOCK_S * len(next(iter(met.values()), {}).get("neighbours", ())) + _SLACK_S,
    )
    emit({"met": met, "knocked": _read(store, "knocked", met)})
    number = 0
    while order := hear():
        store.set(f"round/{number}", json.dumps(order))
        if order.get("end"):
            time.sleep(_PARTING_S)
            return
        members = [name for group in order["groups"] for name in group["nodes"]]
        until = time.monotonic() + order["limit_s"] + _SLACK_S
        _until(lambda: store.add(f"told/{number}", 0) >= len(members), until)  # noqa: B023 - called at once
        emit({"told": _read(store, f"told/{number}", members)})
        number += 1


def attend(torch: Any, meeting: Meeting, me: Message, emit: Emit, hear: Hear) -> None:
    """Be one node at the meeting place: pass on each round that there is, and what came of it."""
    limit = _timeout(meeting.seconds)
    store = torch.distributed.TCPStore(meeting.address, meeting.port, is_master=False, wait_for_workers=False, timeout=limit)
    with socket.create_server((me["address"], 0)) as door:  # what collectives will do, too: be reached at a port of their own
        store.set(f"node/{me['node']}", json.dumps({**me, "door": door.getsockname()[1]}))
        store.add("nodes", 1)
        _wait(store, "met", emit)
        store.set(f"knocked/{me['node']}", json.dumps(_knock(store, me["neighbours"])))
        store.add("knocks", 1)
        number = 0
        while True:
            _wait(store, f"round/{number}", emit)
            order = json.loads(store.get(f"round/{number}"))
            emit({"order": {**order, "number": number}})
            if order.get("end"):
                return
            if any(me["node"] in group["nodes"] for group in order["groups"]):
                store.set(f"told/{number}/{me['node']}", json.dumps(hear()))
                store.add(f"told/{number}", 1)
            number += 1


def _wait(store: Any, key: str, emit: Emit) -> None:
    """Wait for a key, with signs of life: the store may hang, and then this does, and whoever watches hears no more of it."""
    while True:
        emit({"waiting": key})
        try:
            return store.wait([key], _timeout(_WAIT_S))
        except RuntimeError as error:  # DistStoreError, which not every version has
            if "timeout" not in str(error).lower():
                raise


def _knock(store: Any, neighbours: Iterable[str]) -> dict[str, str]:
    """Knock at the neighbours' doors: why in vain, by neighbour."""
    found = _read(store, "node", neighbours)
    return {name: knock(record["address"], record["door"], _KNOCK_S) for name, record in found.items()}


def _read(store: Any, folder: str, names: Iterable[str]) -> Message:
    return {name: json.loads(store.get(key)) for name in names if store.check([key := f"{folder}/{name}"])}


def _until(done: Callable[[], bool], until: float) -> None:
    while not done() and time.monotonic() < until:
        time.sleep(_LOOK_S)


def _timeout(seconds: float) -> dt.timedelta:
    return dt.timedelta(seconds=seconds)
