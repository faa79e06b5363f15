"""The course of a measurement, part after part. Its record is whole at any moment, so that a stop loses only what comes after."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tasks
from plan import plan
from workers import ENDED, ENDING_S, HANGS, Worker, end

_CPU_RANKS = 2
_LOOKING_S = 60.0
_LEAVING_S = 10.0  # for the scout to be gone from all GPUs: in an exclusive compute mode no rank can start on one before
_PATIENCE_S = 45.0  # beyond the time that a part has: for one that is slow, not for one that hangs
_ALONE = "one GPU: there is nothing to exchange data with"
_WORDS = {
    "matmul": "matrix product on all at once",
    "matmul_fp8": "matrix product in fp8 on all at once",
    "memory": "memory bandwidth of all at once",
}

_PRODUCTS_PART = 0.85  # of a sample of a burn-in; the rest is for the all-reduce

Answer = dict[str, Any]


@dataclass(frozen=True)
class BurnIn:
    """How long to burn in, how far samples are apart, and who is told of each."""

    seconds: float
    period_s: float
    tell: Callable[[dict[str, Any]], None]


class Measurement:
    """One run, driven by a process that starts neither CUDA nor a collective: it can always end the others and tell what they did."""

    def __init__(self, torch: Any, level: str, end: float, start: float) -> None:
        """Prepare; `end` and `start` are moments of `time.monotonic()`."""
        self.torch, self.level, self.end, self.start = torch, level, end, start
        self.looked: dict[str, Any] = {"gpus": 0, "nccl": "", "reason": "asked for"}
        self.ranks: list[dict[str, Any]] = []
        self.phases: list[dict[str, Any]] = []
        self.peers: Answer = _not_reached("the end came first")
        self.collectives: Answer = _not_reached("the end came first")
        self.stopped = ""
        self._workers: list[Worker] = []
        self._lost: dict[int, str] = {}

    def run(self, device: str, burn_in: BurnIn | None) -> None:
        """Measure everything; and then, for a burn-in, again and again."""
        scout = self._employ(tasks.scout(self.torch)) if device == "cuda" else None
        if scout:
            _progress("looking for GPUs")
            answer = scout.answer(min(self.end, time.monotonic() + _LOOKING_S))
            self.looked = answer.get("value") or {"gpus": 0, "nccl": "", "reason": answer.get("unreadable", "no answer")}
        gpus = self.looked["gpus"]
        count = gpus or min(_CPU_RANKS, os.cpu_count() or 1)
        self.ranks = [_rank(number) for number in range(count)]
        timing = plan(self.level, "cuda" if gpus else "cpu", time.monotonic() - self.start)
        self._copy_between(scout, gpus, timing.seconds["peers"])
        self._end_workers(min(_LEAVING_S, self.end - time.monotonic()))
        folder = Path(tempfile.mkdtemp(prefix="probe-"))
        try:
            limit = max(1.0, self.end - time.monotonic())
            for number in range(count):
                self._employ(tasks.rank(self.torch, number, count, on_gpus=gpus > 0, meeting=folder / "store", limit_s=limit))
            self._start()
            for part in ("matmul", "matmul_fp8", "memory"):
                self._apart(part, timing.seconds[part])
            self._one_by_one("host", timing.seconds["host"])
            self._together(timing.sizes, timing.seconds["collectives"])
            if burn_in:
                self._again(burn_in, timing.sizes[-1])
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def finish(self, stopped: str = "") -> None:
        """End every process; `stopped` is why it ends before its time."""
        self._end_workers()
        if stopped:
            self.stopped = stopped
            for answer in (
                self.peers,
                self.collectives,
                *(each for rank in self.ranks for each in rank.values() if isinstance(each, dict)),
            ):
                if answer == _not_reached("the end came first"):
                    answer.update(_not_reached(stopped))

    def result(self) -> dict[str, Any]:
        """Return what has been measured until now."""
        on_gpus, elapsed = self.looked["gpus"] > 0, time.monotonic() - self.start
        return {
            "device": "cuda" if on_gpus else "cpu",
            "device_reason": self.looked["reason"],
            "backend": "nccl" if on_gpus else "gloo",
            "torch_version": self.torch.__version__,
            "cuda_version": self.torch.version.cuda or "",
            "nccl_version": self.looked["nccl"],
            "gpus_seen": self.looked["gpus"],
            "level": self.level,
            "stopped": self.stopped,
            "ranks": self.ranks,
            "peers": self.peers,
            "collectives": self.collectives,
            "phases": self.phases,
            "measuring_s": round(sum(phase["ended"] - phase["began"] for phase in self.phases), 3),
            "duration_s": round(elapsed, 3),
        }

    def _copy_between(self, scout: Worker | None, gpus: int, seconds: float) -> None:
        if gpus == 1:
            self.peers = {"unsupported": _ALONE}
            return
        _progress(f"copies between all {gpus} GPUs" if gpus else "copies, on the CPU")
        worker = scout if gpus and scout else self._employ(tasks.scout(self.torch))
        if worker is not scout:
            worker.answer(self.end)  # that it found no GPU is known
        worker.tell(["peers", [gpus, seconds]])
        self.peers = self._noted("peers", [worker.answer(self._until(seconds))])[0]

    def _start(self) -> None:
        _progress(f"starting {len(self.ranks)} processes")
        for rank, answer in zip(self.ranks, self._ask("start", [])):
            rank.update(answer.get("value") or {})

    def _apart(self, part: str, seconds: float) -> None:
        """Have all ranks measure at once, each its own GPU."""
        _progress(f"{_WORDS[part]}, {seconds:.0f} s")
        for rank, answer in zip(self.ranks, self._noted(part, self._ask(part, [seconds], seconds))):
            rank[part] = {"unsupported": tasks.NO_FP8} if answer == {"value": None} else answer

    def _one_by_one(self, part: str, seconds: float) -> None:
        """Have one rank measure after the other: together they would measure what they share."""
        for number, rank in enumerate(self.ranks):
            _progress(f"copies between host and GPU {number}")
            rank[part] = self._noted(part, [self._ask_one(number, part, [seconds / len(self.ranks)], seconds)])[0]

    def _together(self, sizes: Sequence[int], seconds: float) -> None:
        if len(self.ranks) == 1:
            self.collectives = {"unsupported": _ALONE}
            return
        failed = sorted({*self._lost, *(number for number, rank in enumerate(self.ranks) if "unreadable" in rank["matmul"])})
        if failed:
            self.collectives = {"unreadable": f"not started, since rank {', '.join(map(str, failed))} gave no matrix product"}
            return
        _progress(f"collectives between all, {seconds:.0f} s")
        answers = self._ask("join", [])
        if not _troubles(answers):
            answers = self._noted("collectives", self._ask("collectives", [list(sizes), seconds], seconds))
        if _troubles(answers):
            self.collectives = {"unreadable": _troubles(answers)}
            return
        self.collectives = {"value": _slowest(answers)}

    def _again(self, burn_in: BurnIn, size: int) -> None:
        """Burn in: matrix products on all at once, then an all-reduce, sample after sample, until the time is over."""
        end = time.monotonic() + burn_in.seconds
        while (left := end - time.monotonic()) > 0:
            began, seconds = time.time(), min(left, burn_in.period_s)
            products = _untimed(self._ask("matmul", [seconds * _PRODUCTS_PART], seconds))
            reduced: Answer = {"unsupported": "no all-reduce here"}
            if "value" in self.collectives:
                answers = self._ask("all_reduce", [size, seconds * (1 - _PRODUCTS_PART)], seconds)
                reduced = {"unreadable": _troubles(answers)} if _troubles(answers) else {"value": _slowest(answers)[0]}
            ranks = [{"rank": number, "uuid": self.ranks[number]["uuid"], "matmul": each} for number, each in enumerate(products)]
            ended = time.time()
            burn_in.tell({"began": began, "ended": ended, "seconds": ended - began, "ranks": ranks, "allreduce": reduced})
            if len(self._lost) == len(self.ranks):
                return  # nobody is left to measure

    def _ask(self, name: str, arguments: list[Any], seconds: float = 0.0) -> list[Answer]:
        """Give all ranks an order, and collect their answers."""
        for number, worker in enumerate(self._workers):
            if number not in self._lost:
                worker.tell([name, arguments])
        until = self._until(seconds)
        return [self._answer(number, until) for number in range(len(self._workers))]

    def _ask_one(self, number: int, name: str, arguments: list[Any], seconds: float) -> Answer:
        if number not in self._lost:
            self._workers[number].tell([name, arguments])
        return self._answer(number, self._until(seconds))

    def _answer(self, number: int, until: float) -> Answer:
        """Collect a rank's answer. One that hangs, or has ended, is asked nothing more."""
        if number in self._lost:
            return {"unreadable": f"not started, since earlier: {self._lost[number]}"}
        answer = self._workers[number].answer(until)
        if "unreadable" in answer and answer["unreadable"] in (HANGS, ENDED):
            self._lost[number] = answer["unreadable"]
        return answer

    def _noted(self, name: str, answers: list[Answer]) -> list[Answer]:
        """Note when the part ran, for who watches the GPUs meanwhile; and return the answers without their times."""
        timed = [answer for answer in answers if "began" in answer]
        if timed and any(answer["value"] is not None for answer in timed):
            began, ended = min(answer["began"] for answer in timed), max(answer["ended"] for answer in timed)
            self.phases.append({"name": name, "began": began, "ended": ended})
        return _untimed(answers)

    def _employ(self, work: Any) -> Worker:
        self._workers.append(Worker(work))
        return self._workers[-1]

    def _end_workers(self, seconds: float = ENDING_S) -> None:
        workers, self._workers = self._workers, []
        end(workers, seconds)

    def _until(self, seconds: float) -> float:
        return min(self.end, time.monotonic() + seconds + _PATIENCE_S)


def _untimed(answers: Sequence[Answer]) -> list[Answer]:
    return [{key: value for key, value in answer.items() if key not in ("began", "ended")} for answer in answers]


def _slowest(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Of each collective, what the slowest rank saw counts, and it is right where it is right for all."""
    each = zip(*(answer["value"] for answer in answers))
    return [{**min(seen, key=lambda one: float(one["busbw_gb_s"])), "correct": all(one["correct"] for one in seen)} for seen in each]


def _troubles(answers: Sequence[Answer]) -> str:
    return "; ".join(f"rank {number}: {answer['unreadable']}" for number, answer in enumerate(answers) if "unreadable" in answer)


def _rank(number: int) -> dict[str, Any]:
    parts = ("matmul", "matmul_fp8", "memory", "host")
    return {"rank": number, "uuid": "", "name": "", **{part: _not_reached("the end came first") for part in parts}}


def _not_reached(why: str) -> Answer:
    return {"unreadable": f"not reached: {why}"}


def _progress(text: str) -> None:
    """Tell a person who waits what is being done."""
    sys.stderr.write(f"probe: {text}\n")
    sys.stderr.flush()
