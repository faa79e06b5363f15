"""The probe for real, on the CPU; and its processes without PyTorch, when they hang or die."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.observe.probe import parse

PROBE = Path(__file__).parents[4] / "roles" / "gpu_readiness" / "files" / "probe"
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed here")


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(PROBE))
    return importlib.import_module("workers")


def test_a_worker_answers_and_waits_to_go_on(workers: Any) -> None:
    def work(emit: Any, wait: Any) -> None:
        emit({"value": 1})
        emit({"value": 2 if wait() else 3})

    worker = workers.Worker(work)
    try:
        assert worker.answer(time.monotonic() + 5) == {"value": 1}
        assert worker.answer(time.monotonic() + 0.05) == {"unreadable": "no answer in time: it hangs"}
        worker.go()
        assert worker.answer(time.monotonic() + 5) == {"value": 2}
    finally:
        worker.end()


@pytest.mark.parametrize(
    ("work", "answer"),
    [
        (lambda _emit, _wait: time.sleep(60), {"unreadable": "no answer in time: it hangs"}),
        (lambda _emit, _wait: os.kill(os.getpid(), signal.SIGKILL), {"unreadable": "its process ended without an answer"}),
        (lambda _emit, _wait: 1 // 0, {"unreadable": "ZeroDivisionError: integer division or modulo by zero"}),
    ],
    ids=["hangs", "dies", "fails"],
)
def test_a_worker_that_does_not_answer(workers: Any, work: Any, answer: dict[str, str]) -> None:
    worker = workers.Worker(work)
    try:
        assert worker.answer(time.monotonic() + 0.5) == answer
        worker.go()
    finally:
        worker.end()
    with pytest.raises(ChildProcessError):
        os.waitpid(worker._pid, os.WNOHANG)


def probe(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run the probe, after `before` has patched something in it."""
    start = f"import runpy, sys; sys.path.insert(0, {str(PROBE)!r}); sys.argv[1:] = {list(arguments)!r}"
    program = f"{start}; {before}; runpy.run_path({str(PROBE)!r}, run_name='__main__')"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)


@needs_torch
def test_the_probe_measures_on_the_cpu_and_says_so() -> None:
    completed = subprocess.run(
        [sys.executable, str(PROBE), "--device", "cpu", "--seconds", "50"], capture_output=True, text=True, timeout=60, check=True
    )
    assert completed.stdout.count("\n") == 1
    result = parse(completed.stdout).value
    assert (result.device, result.backend, result.gpus_seen) == ("cpu", "gloo", 0)
    for rank in result.ranks:
        assert rank.matmul.value.correct
        assert 0 < rank.matmul.value.tflops < 50
        assert rank.matmul.value.dtype == "fp32"
    if len(result.ranks) > 1:
        reduced = result.allreduce.value
        assert reduced.correct
        assert reduced.ranks == 2
        assert reduced.busbw_gb_s == pytest.approx(reduced.algbw_gb_s * 2 * (reduced.ranks - 1) / reduced.ranks)


@needs_torch
def test_planted_wrong_results_are_found_where_there_is_no_cuda() -> None:
    """A product off by one standard deviation on one rank, and a wrong element in a sum."""
    patches = (
        "import os; os.environ['CUDA_VISIBLE_DEVICES'] = '';"
        "import matmul; error = matmul._error; matmul._error = lambda t, a, b, c: error(t, a, b, c + c.std());"
        "import allreduce; sums = allreduce._sums_right; allreduce._sums_right = lambda t, d, ty, g: sums(t, d, ty, g) and g.rank != 1"
    )
    result = parse(probe("--device", "cuda", before=patches).stdout).value
    assert (result.device, bool(result.device_reason)) == ("cpu", True)
    assert not result.ranks[0].matmul.value.correct
    assert result.allreduce.is_unsupported or not result.allreduce.value.correct


@needs_torch
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor: there is nothing to reduce with")
def test_a_rank_that_hangs_is_named_in_time() -> None:
    hang = "import allreduce, time; allreduce._size = lambda *_: time.sleep(300)"
    for seconds in (9, 45):
        start = time.monotonic()
        result = parse(probe("--device", "cpu", "--seconds", str(seconds), before=hang).stdout).value
        if all(rank.matmul.is_known for rank in result.ranks):
            break  # on a busy machine it takes longer to come to where it hangs
    assert "rank 0: no answer in time: it hangs" in result.allreduce.why
    assert result.ranks[1].matmul.is_known
    assert time.monotonic() - start < seconds + 20
