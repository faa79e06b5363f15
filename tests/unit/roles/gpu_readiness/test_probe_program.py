"""The probe for real, on the CPU; and its processes without PyTorch, when they hang or die."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.observe.probe import parse

PROBE = Path(__file__).parents[4] / "roles" / "gpu_readiness" / "files" / "probe"
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed here")


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(PROBE))
    return importlib.import_module("workers")


def test_a_worker_answers_and_hears_to_go_on(workers: Any) -> None:
    def work(emit: Any, hear: Any) -> None:
        emit({"value": 1})
        emit({"value": 2 if hear() else 3})

    worker = workers.Worker(work)
    try:
        assert worker.answer(time.monotonic() + 5) == {"value": 1}
        assert worker.answer(time.monotonic() + 0.05) == {"unreadable": "no answer in time: it hangs"}
        worker.tell("go")
        assert worker.answer(time.monotonic() + 5) == {"value": 2}
    finally:
        workers.end([worker])


@pytest.mark.parametrize(
    ("work", "answer", "limit_s"),
    [
        (lambda _emit, _hear: time.sleep(60), {"unreadable": "no answer in time: it hangs"}, 0.5),
        (lambda _emit, _hear: os.kill(os.getpid(), signal.SIGKILL), {"unreadable": "its process ended without an answer"}, 10),
        (lambda _emit, _hear: 1 // 0, {"unreadable": "ZeroDivisionError: integer division or modulo by zero"}, 10),
    ],
    ids=["hangs", "dies", "fails"],
)
def test_a_worker_that_does_not_answer(workers: Any, work: Any, answer: dict[str, str], limit_s: float) -> None:
    worker = workers.Worker(work)
    try:
        assert worker.answer(time.monotonic() + limit_s) == answer
        worker.tell("go")
    finally:
        workers.end([worker])
    with pytest.raises(ChildProcessError):
        os.waitpid(worker._pid, os.WNOHANG)


def test_workers_that_cannot_be_ended_are_all_killed_and_hold_up_no_longer_than_one(workers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = [workers.Worker(lambda _emit, hear: hear()) for _ in range(4)]
    start = time.monotonic()
    with monkeypatch.context() as patched:
        patched.setattr(os, "waitpid", lambda *_: (0, 0))
        workers.end(stuck)
    assert time.monotonic() - start < 2 * workers.ENDING_S
    for worker in stuck:
        assert os.waitstatus_to_exitcode(os.waitpid(worker._pid, 0)[1]) == -signal.SIGKILL


def test_orders_are_carried_out_one_by_one(workers: Any) -> None:
    def work(emit: Any, hear: Any) -> None:
        while (order := hear()) is not None:
            emit({"value": order})

    worker = workers.Worker(work)
    try:
        for order in ({"a": [1, 2.5]}, ["b"], 0):
            worker.tell(order)
        assert [worker.answer(time.monotonic() + 5)["value"] for _ in range(3)] == [{"a": [1, 2.5]}, ["b"], 0]
    finally:
        workers.end([worker])


@pytest.mark.parametrize("count", range(2, 9))
def test_in_a_tournament_everybody_meets_everybody_once_and_nobody_two_at_a_time(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.syspath_prepend(str(PROBE))
    rounds = importlib.import_module("peer_copies").rounds(count)
    met = [frozenset(pair) for pairs in rounds for pair in pairs]
    assert len(met) == len(set(met)) == count * (count - 1) // 2
    for pairs in rounds:
        assert len({one for pair in pairs for one in pair}) == 2 * len(pairs)


def test_a_levels_time_is_shared_out_and_starting_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PROBE))
    plan = importlib.import_module("plan").plan
    for level, aim in (("quick", 15), ("standard", 60)):
        for elapsed in (0, 5, 12):
            planned = sum(plan(level, "cuda", elapsed).seconds.values())
            assert planned + elapsed <= aim or planned == pytest.approx(4)
    assert sum(plan("standard", "cuda", 6).seconds.values()) > 0.7 * 60  # what is not measuring is less than three tenths
    assert sum(plan("quick", "cpu", 0).seconds.values()) <= 2


def test_processors_of_numa_nodes_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(PROBE))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 2, 9})
    for name, text in (("node0", "0-1,8"), ("node1", "2-3,9-11"), ("node2", ""), ("node3", "x")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cpulist").write_text(text + "\n")
    assert importlib.import_module("host_copies").numa_nodes(tmp_path) == {0: {0, 1}, 1: {2, 9}}


def test_gpus_in_slices_are_counted_as_cuda_shows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PROBE))
    cuda = SimpleNamespace(
        init=lambda: None,
        device_count=lambda: 8,  # by NVML
        get_device_name=["NVIDIA H100 80GB HBM3 MIG 7g.80gb"].__getitem__,
        nccl=SimpleNamespace(version=lambda: (2, 26, 2)),
    )
    torch = SimpleNamespace(cuda=cuda, _C=SimpleNamespace(_cuda_getDeviceCount=lambda: 1), __version__="2.7.1")
    assert importlib.import_module("tasks")._look(torch)["gpus"] == 1
    assert importlib.import_module("agent")._look(torch, {"device": "cuda"}) == {"ranks": 1, "model": "NVIDIA H100 80GB HBM3 MIG 7g.80gb"}


def test_the_ranks_start_once_the_scout_is_gone_from_the_gpus(workers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    measurement, tasks = importlib.import_module("measurement"), importlib.import_module("tasks")
    course: list[Any] = []
    monkeypatch.setattr(tasks, "_look", lambda _torch: {"gpus": 1, "nccl": "", "reason": ""})
    monkeypatch.setattr(tasks, "rank", lambda *_arguments, **_options: course.append("rank") or time.sleep)
    end = measurement.end
    monkeypatch.setattr(measurement, "end", lambda workers, seconds: course.append(seconds) or end(workers, seconds))
    monkeypatch.setattr(measurement.Measurement, "_start", lambda _self: 1 // 0)
    for left, least, most in ((100, 10, 10), (4, 0, 4)):
        course.clear()
        measured = measurement.Measurement(None, "quick", time.monotonic() + left, time.monotonic())
        with pytest.raises(ZeroDivisionError):
            measured.run("cuda", None)
        measured.finish()
        assert least <= course[0] <= most
        assert course[1:] == ["rank", workers.ENDING_S]


@needs_torch
def test_memory_on_a_numa_node_is_never_that_of_another_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """PyTorch keeps pinned memory that is free and hands it out again, wherever it lies."""
    monkeypatch.syspath_prepend(str(PROBE))
    torch, host_copies = importlib.import_module("torch"), importlib.import_module("host_copies")
    for number in range(4):
        (tmp_path / f"node{number}").mkdir()
        (tmp_path / f"node{number}/cpulist").write_text(",".join(map(str, os.sched_getaffinity(0))))
    made: list[weakref.ref[Any]] = []

    def empty(*arguments: Any, **options: Any) -> Any:
        assert all(each() is not None for each in made)
        tensor = plain(*arguments, **options)
        made.append(weakref.ref(tensor))
        return tensor

    plain = torch.empty
    monkeypatch.setattr(torch, "empty", empty)
    assert host_copies.measure(torch, torch.device("cpu"), 0.01, tmp_path)["correct"]
    assert len(made) == 1 + 4


def probe(*arguments: str, before: str = "", timeout: float = 60, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the probe, after `before` has patched something in it."""
    start = f"import runpy, sys; sys.path.insert(0, {str(PROBE)!r}); sys.argv[1:] = {['--level', 'quick', *arguments]!r}"
    program = f"{start}; {before}; runpy.run_path({str(PROBE)!r}, run_name='__main__')"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=timeout, check=False, **options)


@needs_torch
def test_the_probe_measures_on_the_cpu_and_says_so() -> None:
    command = [sys.executable, str(PROBE), "--device", "cpu", "--level", "standard", "--seconds", "50"]
    completed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert completed.stdout.count("\n") == 1
    assert "probe: matrix product" in completed.stderr
    result = parse(completed.stdout).value
    assert (result.device, result.backend, result.gpus_seen, result.level, result.stopped) == ("cpu", "gloo", 0, "standard", "")
    for rank in result.ranks:
        product, memory, host = rank.matmul.value, rank.memory.value, rank.host.value
        assert product.correct
        assert memory.correct
        assert host.correct
        assert 0 < product.tflops < 50
        assert 0 < len(product.tflops_over_time) <= 10
        assert product.dtype == "fp32"
        assert rank.matmul_fp8.is_unsupported
        assert min(memory.gb_s, host.to_device_gb_s, host.from_device_gb_s) > 0
    assert [(copy.source, copy.target, copy.correct) for copy in result.peers.value] == [(0, 1, True), (1, 0, True)]
    if len(result.ranks) > 1:
        measured = result.collectives.value
        assert [(each.operation, each.bytes >> 20) for each in measured] == [
            ("all_reduce", 1),
            ("all_reduce", 4),
            ("reduce_scatter", 4),
            ("all_gather", 4),
        ]
        for each in measured:
            assert each.correct
            assert each.ranks == 2
            factor = 2 if each.operation == "all_reduce" else 1
            assert each.busbw_gb_s == pytest.approx(each.algbw_gb_s * factor * (each.ranks - 1) / each.ranks)
    assert {"matmul", "memory", "host", "peers"} <= {phase.name for phase in result.phases}
    assert all(phase.began < phase.ended for phase in result.phases)
    assert 0 < result.measuring_s < result.duration_s


@needs_torch
def test_planted_wrong_results_are_found_where_there_is_no_cuda() -> None:
    command = [sys.executable, str(Path(__file__).with_name("planted.py")), "--device", "cuda", "--level", "quick"]
    result = parse(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout).value
    assert (result.device, bool(result.device_reason)) == ("cpu", True)
    for rank in result.ranks:
        assert not rank.matmul.value.correct
        assert not rank.memory.value.correct
        assert not rank.host.value.correct
    assert not any(copy.correct for copy in result.peers.value)
    if len(result.ranks) > 1:
        assert not any(each.correct for each in result.collectives.value)


@needs_torch
def test_a_product_that_is_wrong_from_the_first_on_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in fp8, whose product needs no GPU but in its speed."""
    monkeypatch.syspath_prepend(str(PROBE))
    torch, matmul = importlib.import_module("torch"), importlib.import_module("matmul")
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp8", torch.float8_e4m3fn)):
        left, right = (torch.randn(128, 128).to(dtype) for _ in range(2))
        product = (left.float() @ right.float().t()).to(torch.bfloat16 if name != "fp32" else dtype)
        assert matmul._error(left, right, product, torch) <= matmul._TOLERANCE[name]
        assert matmul._error(left, right, product + product.float().std().to(product.dtype), torch) > matmul._TOLERANCE[name]
        assert matmul._nan_last(matmul._error(left, right, product * float("nan"), torch)) > 1e30


@needs_torch
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor: there is nothing to reduce with")
def test_a_rank_that_hangs_is_named_in_time() -> None:
    hang = "import collectives, time; collectives._fitting = lambda *_: time.sleep(300)"
    for seconds in (13, 45, 150):
        start = time.monotonic()
        result = parse(probe("--device", "cpu", "--seconds", str(seconds), before=hang, timeout=seconds + 60).stdout).value
        if all(rank.matmul.is_known for rank in result.ranks):
            break  # on a busy machine it takes longer to come to where it hangs
    assert "rank 0: no answer in time: it hangs" in result.collectives.why
    assert result.ranks[1].matmul.is_known
    assert time.monotonic() - start < seconds + 20


@needs_torch
@pytest.mark.parametrize("how", ["signal", "input closed"])
def test_a_stop_ends_every_process_and_tells_what_was_measured(how: str) -> None:
    hang = "import bandwidth, time; bandwidth.measure = lambda *_: time.sleep(300)"
    start = (
        f"import runpy, sys; sys.path.insert(0, {str(PROBE)!r}); sys.argv[1:] = ['--device', 'cpu', '--level', 'quick', '--while-stdin']"
    )
    program = f"{start}; {hang}; runpy.run_path({str(PROBE)!r}, run_name='__main__')"
    running = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stderr is not None
    assert running.stdin is not None
    assert any("memory bandwidth" in line for line in iter(running.stderr.readline, ""))
    if how == "signal":
        running.terminate()
    result = parse(running.communicate(timeout=20)[0]).value
    assert result.stopped == "stopped by SIGTERM"
    assert result.ranks[0].matmul.is_known
    assert result.ranks[0].memory.why == "not reached: stopped by SIGTERM"
    assert result.collectives.why == "not reached: stopped by SIGTERM"
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)


@needs_torch
def test_a_burn_in_tells_its_samples_at_once_and_ends_when_told() -> None:
    command = [sys.executable, str(PROBE), "--device", "cpu", "--level", "burn_in", "--burn-in-s", "300", "--period-s", "0.5"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert running.stdout is not None
    samples = [json.loads(running.stdout.readline())["burn_in"] for _ in range(2)]
    running.send_signal(signal.SIGINT)
    result = parse(running.communicate(timeout=20)[0]).value
    assert (result.stopped, result.level) == ("stopped by SIGINT", "burn_in")
    assert all(rank.matmul.is_known for rank in result.ranks)
    for sample in samples:
        assert sample["began"] < sample["ended"] <= sample["began"] + sample["seconds"] + 0.001
        assert all(rank["matmul"]["value"]["correct"] for rank in sample["ranks"])
        assert len(result.ranks) == 1 or sample["allreduce"]["value"]["correct"]


def test_without_pytorch_it_says_what_is_missing() -> None:
    completed = probe("--device", "cpu", before="sys.modules['torch'] = None")
    assert completed.returncode == 1
    assert completed.stderr.splitlines()[-1].startswith("found no PyTorch for ")
