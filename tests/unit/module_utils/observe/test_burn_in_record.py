"""A burn-in's record: what was measured before a stop counts, and nothing of another burn-in does."""

from __future__ import annotations

import errno
import json
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.observation_probe import BurnIn
from ansible_collections.gpu.fleet.plugins.module_utils.observe.burn_in import BurnInRecord
from unit.module_utils.healthy_probe import sampled

GPUS = ["GPU-0", "GPU-1"]


def product(tflops: float, *, correct: bool = True) -> dict[str, Any]:
    return {"value": {"tflops": tflops, "correct": correct}}


def sample(*products: dict[str, Any], seconds: float = 60.0, **changes: Any) -> dict[str, Any]:
    ranks = [{"rank": number, "uuid": f"GPU-{number}", "matmul": each} for number, each in enumerate(products)]
    reduced = {"value": {"busbw_gb_s": 470.0, "correct": True}}
    return {"began": 0.0, "ended": seconds, "seconds": seconds, "ranks": ranks, "allreduce": reduced, **changes}


def record(path: Path | None, asked_s: float = 600.0, gpus: list[str] | None = None, *, anew: bool = False) -> BurnInRecord:
    return BurnInRecord(path, asked_s, gpus or GPUS, anew=anew)


def stopped(path: Path) -> BurnInRecord:
    """Burn in for two of ten minutes."""
    begun = record(path)
    begun.add(sample(product(780), product(770)), [sampled(0), sampled(1)])
    begun.add(sample(product(776), product(765, correct=False)), [sampled(0, event_reasons=sampled(0).event_reasons), sampled(1)])
    return begun


def test_what_was_stopped_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "gpu-fleet" / "burn_in.jsonl"
    before = stopped(path).result()
    again = record(path)
    assert again.left_s == 480
    assert again.result() == before
    told = again.add(sample(product(778), {"unreadable": "no answer in time"}, seconds=480), [])
    assert told == "burn-in, 600 of 600 s, 778 to 778 TFLOP/s"
    found = again.result()
    assert (found.whole, found.samples, found.allreduce_gb_s.value.median, found.not_kept) == (True, 3, 470.0, "")
    good, bad = found.gpus
    assert (good.tflops.value.low, good.tflops.value.high, good.wrong, good.missing) == (776, 780, 0, "")
    assert (bad.wrong, bad.missing) == (1, "no answer in time")
    assert good.temperature_c.value.high == 66
    assert good.event_reasons.value == {"0x4": 0.9}


def test_a_longer_one_goes_on_and_one_that_is_whole_is_done(tmp_path: Path) -> None:
    path = tmp_path / "burn_in.jsonl"
    stopped(path)
    assert record(path, 1200).left_s == 1080
    assert record(path, 100).left_s == 100, "the two minutes are enough for what is asked now: it is another burn-in"


@pytest.mark.parametrize("why", ["other GPUs", "repaired", "long ago", "from the future"])
def test_another_burn_in_starts_anew(tmp_path: Path, why: str) -> None:
    path = tmp_path / "burn_in.jsonl"
    stopped(path)
    header, *samples = path.read_text().splitlines()
    at = {"long ago": time.time() - 8 * 86400, "from the future": time.time() + 1e6}.get(why)
    if at:
        path.write_text("\n".join([json.dumps({**json.loads(header), "started_at": at}), *samples]) + "\n")
    begun = record(path, gpus=["GPU-0", "GPU-9"] if why == "other GPUs" else None, anew=why == "repaired")
    assert begun.left_s == 600
    assert len(path.read_text().splitlines()) == 1


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "burn_in.jsonl"
    stopped(path)
    path.write_text(path.read_text()[:-40])
    assert record(path).left_s == 540


@pytest.mark.parametrize("content", ["no JSON\n", "[]\n", '{"schema": 2, "started_at": 1, "asked_s": 1}\n', '{"schema": 1}\n', ""])
def test_what_is_no_record_is_set_aside(tmp_path: Path, content: str) -> None:
    path = tmp_path / "burn_in.jsonl"
    path.write_text(content)
    assert record(path).left_s == 600
    assert path.with_name("burn_in.jsonl.foreign").read_text() == content


@pytest.mark.parametrize("path", [None, Path("/proc/no/such/burn_in.jsonl")])
def test_where_nothing_can_be_written_it_is_judged_all_the_same(path: Path | None) -> None:
    begun = record(path)
    begun.add(sample(product(780), product(770)), [])
    found = begun.result()
    assert (found.done_s, found.whole) == (60, False)
    assert bool(found.not_kept) == (path is not None)


def test_a_record_that_cannot_be_begun_anew_keeps_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "burn_in.jsonl"
    stopped(path)
    before = path.read_text()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert "No space left" in record(path).result().not_kept
    assert path.read_text() == before


def test_it_is_bounded() -> None:
    week = 7 * 86400.0
    assert round(week / record(None, week).period_s) <= 500
    assert record(None, 60).period_s == 30


def test_nothing_measured_yet_is_no_whole_burn_in() -> None:
    found: BurnIn = record(None).result()
    assert (found.whole, found.gpus, found.samples) == (False, (), 0)
