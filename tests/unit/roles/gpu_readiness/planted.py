"""A probe whose operations go wrong: run in place of the probe, with its arguments. Each error shows in one part of what it measures."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROBE = Path(__file__).parents[4] / "roles" / "gpu_readiness" / "files" / "probe"
sys.path.insert(0, str(PROBE))

import bandwidth  # noqa: E402 - of the probe, after the path
import collectives  # noqa: E402
import host_copies  # noqa: E402
import matmul  # noqa: E402
import peer_copies  # noqa: E402

Wrong = Callable[[Any], None]


def after_the_last(repeat: Callable[..., list[float]], name: str, spoil: Wrong) -> Callable[..., list[float]]:
    """Spoil what the measured work left in its variable `name`, once the time is over."""

    def wrapped(torch: Any, device: Any, work: Any, *arguments: Any) -> list[float]:
        took = repeat(torch, device, work, *arguments)
        spoil(work.__closure__[work.__code__.co_freevars.index(name)].cell_contents)
        if len(arguments) > 2:
            arguments[2]()  # what compares after each batch
        return took

    return wrapped


def after_running(task: Any, spoil: Wrong) -> None:
    run = task.run

    def wrapped(self: Any) -> None:
        run(self)
        spoil(self)

    task.run = wrapped


def one_element_of_the_product(results: list[Any]) -> None:
    results[0][7, 7] += 50


def one_element_of_the_copy(target: Any) -> None:
    target[5] += 1


def one_element_on_the_way(target: Any, source: Any) -> Callable[[], None]:
    def copy() -> None:
        target.copy_(source)
        target[3] += 1

    return copy


def the_last_sum_on_one_rank(task: Any) -> None:
    if type(task) is collectives._AllReduce:
        task.data[-1] += task.group.rank


def the_first_scattered_sum_on_one_rank(task: Any) -> None:
    task.result[0] += task.group.rank


def the_order_of_the_gathered_parts(task: Any) -> None:
    task.data.copy_(task.data.roll(task.part))


if __name__ == "__main__":
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    matmul.repeat = after_the_last(matmul.repeat, "results", one_element_of_the_product)
    bandwidth.repeat = after_the_last(bandwidth.repeat, "target", one_element_of_the_copy)
    host_copies._copy = one_element_on_the_way
    peer_copies._copy = lambda _target, _source: lambda: None
    after_running(collectives._AllReduce, the_last_sum_on_one_rank)
    after_running(collectives._ReduceScatter, the_first_scattered_sum_on_one_rank)
    after_running(collectives._AllGather, the_order_of_the_gathered_parts)
    runpy.run_path(str(PROBE), run_name="__main__")
