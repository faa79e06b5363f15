"""Measures the GPUs of one node with plain PyTorch: `python3 probe --device cuda --seconds 60`. Prints one line of JSON.

One process per GPU, forked after `import torch` and before CUDA starts. This process starts neither CUDA nor a collective, so that it can
always end the others and tell what they did.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import allreduce
import matmul
from workers import Emit, Hear, Work, Worker, alone

_CPU_RANKS = 2
_LOOKING_S = 60.0
_RESERVE_S = 2.0


def main() -> None:
    """Measure and print."""
    start = time.monotonic()
    parser = argparse.ArgumentParser(prog="probe", description="Measures the GPUs of one node.")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="what to measure (default cuda)")
    parser.add_argument("--seconds", type=float, default=60.0, help="the time for everything (default 60)")
    options = parser.parse_args()
    end = start + options.seconds - _RESERVE_S
    # GPUs in NVML's order; collectives within this node need no network, and a container may have none.
    os.environ.update(CUDA_DEVICE_ORDER="PCI_BUS_ID", GLOO_SOCKET_IFNAME="lo", NCCL_SOCKET_IFNAME="lo", OMP_NUM_THREADS="1")
    import torch  # noqa: PLC0415 - after the environment, and before the processes are forked

    seen: dict[str, Any] = {"gpus": 0, "nccl": "", "reason": "asked for"}
    if options.device == "cuda":
        answer = alone(lambda emit: emit(_look(torch)), min(_LOOKING_S, end - time.monotonic()))
        seen = answer.get("value") or {"gpus": 0, "nccl": "", "reason": answer.get("unreadable", "no answer")}
    on_gpus = seen["gpus"] > 0
    count = seen["gpus"] or min(_CPU_RANKS, os.cpu_count() or 1)
    ranks, together = _measure(torch, count, on_gpus=on_gpus, end=end)
    result = {
        "device": "cuda" if on_gpus else "cpu",
        "device_reason": seen["reason"],
        "backend": "nccl" if on_gpus else "gloo",
        "torch_version": torch.__version__,
        "cuda_version": torch.version.cuda or "",
        "nccl_version": seen["nccl"],
        "gpus_seen": seen["gpus"],
        "ranks": ranks,
        "allreduce": together,
        "duration_s": round(time.monotonic() - start, 3),
    }
    sys.stdout.write(json.dumps(result) + "\n")


def _look(torch: Any) -> dict[str, Any]:
    """Look for GPUs, in a child: looking may start CUDA, and may hang."""
    try:
        torch.cuda.init()
        count = torch.cuda.device_count()
        return {"gpus": count, "nccl": ".".join(map(str, torch.cuda.nccl.version())), "reason": "PyTorch sees GPUs" if count else "no GPU"}
    except (AssertionError, RuntimeError) as error:
        return {"gpus": 0, "nccl": "", "reason": str(error).strip().splitlines()[0]}


def _measure(torch: Any, count: int, *, on_gpus: bool, end: float) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Measure each GPU apart but all at once, then all together if each of them came through."""
    folder = Path(tempfile.mkdtemp(prefix="probe-"))

    def work(rank: int) -> Work:
        def steps(emit: Emit, hear: Hear) -> None:
            device = torch.device("cuda", rank) if on_gpus else torch.device("cpu")
            torch.set_num_threads(1)
            emit({"value": {"identity": matmul.identity(torch, device), "matmul": matmul.measure(torch, device)}})
            if hear():
                group = allreduce.Group(rank, count, folder / "store", max(1.0, end - time.monotonic()))
                emit({"value": allreduce.measure(torch, device, group)})

        return steps

    workers = [Worker(work(rank)) for rank in range(count)]
    try:
        now = time.monotonic()
        alone_until = now + (end - now) * (0.6 if count > 1 else 1.0)
        answers = [worker.answer(alone_until) for worker in workers]
        together = _together(workers, answers, end)
    finally:
        for worker in workers:
            worker.end()
        shutil.rmtree(folder, ignore_errors=True)
    return [_rank(number, answer) for number, answer in enumerate(answers)], together


def _rank(number: int, answer: dict[str, Any]) -> dict[str, Any]:
    value = answer.get("value")
    who = value["identity"] if value else {"uuid": "", "name": ""}
    return {"rank": number, **who, "matmul": {"value": value["matmul"]} if value else answer}


def _together(workers: list[Worker], answers: list[dict[str, Any]], end: float) -> dict[str, Any]:
    if len(workers) == 1:
        return {"unsupported": "one GPU: there is nothing to reduce with"}
    failed = [str(number) for number, answer in enumerate(answers) if "value" not in answer]
    if failed:
        return {"unreadable": f"not started, since rank {', '.join(failed)} gave no matrix product"}
    for worker in workers:
        worker.go()
    results = [worker.answer(end) for worker in workers]
    troubles = [f"rank {number}: {result['unreadable']}" for number, result in enumerate(results) if "value" not in result]
    if troubles:
        return {"unreadable": "; ".join(troubles)}
    slowest = min((result["value"] for result in results), key=lambda value: float(value["busbw_gb_s"]))
    return {"value": {**slowest, "correct": all(result["value"]["correct"] for result in results)}}


if __name__ == "__main__":
    main()
