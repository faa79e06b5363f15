"""A node's agent for measuring across nodes: `python3 probe/agent.py`, with one line of JSON on standard input that says what to do.

This process starts neither CUDA nor a collective nor a store, all of which may hang: it watches the processes that do, and ends them.
It prints lines of JSON, and it ends when its input does, so that nothing is left running when whoever started it is gone.

The line: `node` (this node's name), `meeting` (address and port), `device` (cuda or cpu), `meet_s` and `seconds` (to meet, and for
everything), `interface` ("" is the one towards the meeting), `neighbours` (nodes whose reachability this one tries), and on the node where
all meet `names` (of all nodes).
"""

from __future__ import annotations

import json
import os
import select
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any, BinaryIO

import across
import hub
from devices import count_gpus
from interfaces import address_of, towards
from workers import Emit, Hear, Message, Work, Worker, alone, end

_LOOKING_S = 60.0
_SILENCE_S = 15.0  # without a sign of life from the meeting place
_GRACE_S = 0.01  # so that what is waited for is over when it should be


def say(message: Message) -> None:
    """Tell whoever started this."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


class Team:
    """The processes of one round on this node: one for each GPU, and what each of them told."""

    def __init__(self, torch: Any, job: Message, order: Message, ranks: int) -> None:
        """Start them."""
        group = next(number for number, each in enumerate(order["groups"]) if job["node"] in each["nodes"])
        nodes, rail = order["groups"][group]["nodes"], order["groups"][group].get("rail") or ""
        amount = across.Amount(order["bytes"], order["measure_s"], order["limit_s"])
        first = nodes.index(job["node"]) * ranks
        address, port = job["meeting"]
        name = f"round/{order['number']}/group/{group}"
        places = [across.Place(name, first + own, ranks * len(nodes), address, port, rail) for own in range(ranks)]
        self.until = time.monotonic() + order["limit_s"]
        self._last: list[Message] = [{} for _ in places]
        self._steps = [-1] * ranks
        self.workers = [Worker(_work(torch, job["device"], own, place, amount)) for own, place in enumerate(places)]

    def hear(self, worker: Worker) -> None:
        """Take what one of them said."""
        own = self.workers.index(worker)
        for answer in worker.answers():
            if "step" in answer:
                self._steps[own] = answer["step"]
            elif not self._last[own]:
                self._last[own] = answer

    def talking(self) -> list[Worker]:
        """List those that have not yet said their last word."""
        return [worker for worker, last in zip(self.workers, self._last) if not last]

    @property
    def over(self) -> bool:
        """Whether all have said it, or their time is up."""
        return not self.talking() or time.monotonic() > self.until

    def outcome(self) -> Message:
        """End them, and say what came of it: a figure of the slowest, or why there is none and how far they came."""
        end(self.workers)
        values = [last["value"] for last in self._last if "value" in last]
        whole = len(values) == len(self.workers)
        reasons = [last["unreadable"] for last in self._last if "unreadable" in last]
        return {
            "busbw_gb_s": min(value["busbw_gb_s"] for value in values) if whole else None,
            "correct": all(value["correct"] for value in values),
            "transport": ", ".join(sorted({value["transport"] for value in values})),
            "step": min(self._steps),
            "died": any("ended" in last for last in self._last),
            "why": "" if whole else next(iter(reasons), "no end within the round's time"),
        }


def _work(torch: Any, kind: str, own: int, place: across.Place, amount: across.Amount) -> Work:
    def work(emit: Emit, _hear: Hear) -> None:
        torch.set_num_threads(1)
        across.measure(torch, torch.device(kind, own) if kind == "cuda" else torch.device(kind), place, amount, emit)

    return work


class Agent:
    """Keeps in touch with the meeting place, and measures whenever it says so; `reason` is why that is over."""

    def __init__(self, torch: Any, job: Message, me: Message, told: BinaryIO) -> None:
        """Open the meeting place, where that is here, and go there."""
        self._torch, self._job, self._me, self._told = torch, job, me, told
        meeting = hub.Meeting(*job["meeting"], job["meet_s"])
        self._where = f"the meeting place {meeting.address}:{meeting.port}"
        self._end = time.monotonic() + job["seconds"]
        self._heard_until = time.monotonic() + meeting.seconds + _SILENCE_S
        self._team: Team | None = None
        self._parting = ""
        self.reason = ""
        self._place = Worker(lambda emit, hear: hub.serve(torch, meeting, job["names"], emit, hear)) if job.get("names") else None
        if self._place:
            opened = self._place.answer(time.monotonic() + _LOOKING_S)
            if "unreadable" in opened:
                raise RuntimeError(f"port {meeting.port} cannot be opened here: {opened['unreadable']}")
        self._messenger = Worker(lambda emit, hear: hub.attend(torch, meeting, me, emit, hear))

    def step(self) -> None:
        """Wait for whoever speaks next, and do what follows from it."""
        now = time.monotonic()
        if self._team and self._team.over:
            self._messenger.tell(self._team.outcome())
            self._team, self._heard_until = None, now + _SILENCE_S
        until = self._team.until if self._team else self._heard_until
        if now > self._end:
            self.reason = f"not over after {self._job['seconds']:.0f} s"
        elif now > until:
            self.reason = f"{self._where} gives no answer"
        listened = [self._told, self._messenger, *([self._place] if self._place else []), *(self._team.talking() if self._team else [])]
        for each in select.select(listened, [], [], max(0.0, min(self._end, until) - now) + _GRACE_S)[0]:
            if each is self._told:
                self._hear_starter()
            elif each is self._place:
                self._hear_place()
            elif each is self._messenger:
                self._hear_messenger()
            elif self._team:
                self._team.hear(each)

    def _hear_starter(self) -> None:
        """Pass on what whoever started this says; that it is gone ends everything."""
        line = self._told.readline()
        if not line:
            self.reason = "its input ended"
        elif self._place:
            self._place.tell(json.loads(line))

    def _hear_place(self) -> None:
        for message in self._place.answers() if self._place else ():
            if "ended" in message or "unreadable" in message:
                self.reason = self._parting or f"{self._where} broke down: {message.get('unreadable', 'its process ended')}"
            else:
                say(message)

    def _hear_messenger(self) -> None:
        for message in self._messenger.answers():
            self._heard_until = time.monotonic() + _SILENCE_S
            order = message.get("order", {})
            if self._parting:
                continue
            if "ended" in message or "unreadable" in message:
                self.reason = (
                    f"{self._where} cannot be reached over {self._me['interface']}: {message.get('unreadable', 'the connection ended')}"
                )
            elif "end" in order:
                self._parting = order["end"]
            elif any(self._job["node"] in group["nodes"] for group in order.get("groups", [])):
                self._team = Team(self._torch, self._job, order, self._me["ranks"])
        if self._parting and not self._place:
            self.reason = self._parting  # where the meeting place is, it first sees the others off


def main() -> None:
    """Do what the line says, and say how it ended. Its processes may be killed: what they wrote goes with this one's folder."""
    told = os.fdopen(0, "rb", 0)  # no buffer, in which a line would hide from select
    job = json.loads(told.readline())
    try:
        with tempfile.TemporaryDirectory(prefix="fabric-") as tempfile.tempdir:
            _take_part(job, told)
    except Exception as error:  # noqa: BLE001 - whoever started this is told, whatever it was
        say({"end": f"{type(error).__name__}: {error}"})


def _take_part(job: Message, told: BinaryIO) -> None:
    os.environ.update(CUDA_DEVICE_ORDER="PCI_BUS_ID", OMP_NUM_THREADS="1")
    interface, address = (job["interface"], address_of(job["interface"])) if job["interface"] else towards(job["meeting"][0])
    os.environ["GLOO_SOCKET_IFNAME"] = interface
    if job["interface"]:
        os.environ["NCCL_SOCKET_IFNAME"] = f"={interface}"
    import torch  # noqa: PLC0415 - after the environment, and once for all the processes that are forked
    import torch.distributed  # noqa: PLC0415

    where = {"interface": interface, "address": address, "neighbours": job["neighbours"]}
    network = {"rails": across.rails(), "verbs": across.has_verbs()}
    me = {"node": job["node"], **where, **network, "torch_version": torch.__version__, **_look(torch, job)}
    agent = Agent(torch, job, me, told)
    say({"here": me})
    while not agent.reason:
        agent.step()
    say({"end": agent.reason})


def _look(torch: Any, job: Message) -> Message:
    """Say how many processes this node has, and on which GPUs."""
    if job["device"] == "cpu":
        return {"ranks": 1, "model": "CPU"}

    def look(emit: Callable[[Any], None]) -> None:
        count = count_gpus(torch)
        emit({"ranks": count, "model": ", ".join(sorted({torch.cuda.get_device_name(each) for each in range(count)}))})

    seen = alone(look, _LOOKING_S)
    if "value" not in seen or not seen["value"]["ranks"]:
        raise RuntimeError(f"PyTorch {torch.__version__} can use no GPU here ({seen.get('unreadable', 'it sees none')})")
    found: Message = seen["value"]
    return found


if __name__ == "__main__":
    main()
