"""A burn-in's record on the node: one line of JSON for each of its samples, so that one that was stopped goes on where it was.

Its first line says what was asked, of which GPUs, and when. It is bounded: samples are as far apart as the time that was asked is long.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils import whole_file
from ansible_collections.gpu.fleet.plugins.module_utils.observation_probe import ENOUGH, BurnIn, BurnInGpu, Sampled, Spread
from ansible_collections.gpu.fleet.plugins.module_utils.plain import from_plain, to_plain
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

FILE = "burn_in.jsonl"

_SCHEMA = 1
_LEAST_PERIOD_S, _MOST_SAMPLES = 30.0, 500
_MOST_BYTES = 16 << 20
_OLDEST_S = 7 * 86400.0  # what was measured before that says little about today
_NONE = "no sample told it"

Record = dict[str, Any]


class BurnInRecord:
    """The record of one burn-in, begun now or on an earlier day."""

    def __init__(self, path: Path | None, asked_s: float, gpus: Sequence[str], *, anew: bool) -> None:
        """Find the record; `gpus` are those of the node, by UUID. One that is whole, of others, old or not wanted (`anew`) is replaced."""
        self._path, self._trouble = path, ""
        self._header: Record = {"schema": _SCHEMA, "started_at": time.time(), "asked_s": asked_s, "gpus": sorted(gpus)}
        self._samples: list[Record] = []
        found = _read(path) if path and not anew else None
        if found and found[0].get("gpus") == self._header["gpus"] and time.time() - _OLDEST_S < found[0]["started_at"] <= time.time():
            done = sum(sample["seconds"] for sample in found[1])
            if done < ENOUGH * min(asked_s, found[0]["asked_s"]):
                self._header, self._samples = {**found[0], "asked_s": asked_s}, found[1]
        self._keep(lambda path: whole_file.write(path, _lines(self._header, *self._samples)))

    @property
    def left_s(self) -> float:
        """How long it still has to run."""
        return max(0.0, float(self._header["asked_s"]) - self._done_s)

    @property
    def period_s(self) -> float:
        """How far its samples are apart."""
        return max(_LEAST_PERIOD_S, float(self._header["asked_s"]) / _MOST_SAMPLES)

    @property
    def _done_s(self) -> float:
        return float(sum(sample["seconds"] for sample in self._samples))

    def add(self, sample: Record, gpus: Sequence[Sampled]) -> str:
        """Add what the probe measured, and what NVML told meanwhile; return it in words."""
        self._samples.append({**sample, "gpus": to_plain(gpus)})
        self._keep(self._append)
        speeds = [rank["matmul"]["value"]["tflops"] for rank in sample["ranks"] if "value" in rank["matmul"]]
        heat = [each.temperature_c.value.high for each in gpus if each.temperature_c.is_known]
        told = f", {min(speeds):.4g} to {max(speeds):.4g} TFLOP/s" if speeds else ", no matrix product"
        return f"burn-in, {self._done_s:.0f} of {self._header['asked_s']:.0f} s{told}" + (f", {max(heat):.0f} °C at most" if heat else "")

    def result(self) -> BurnIn:
        """Put together what all samples say."""
        ranks = sorted({rank["rank"] for sample in self._samples for rank in sample["ranks"]})
        sums = [sample["allreduce"]["value"] for sample in self._samples if "value" in sample["allreduce"]]
        return BurnIn(
            asked_s=float(self._header["asked_s"]),
            done_s=round(self._done_s, 1),
            started_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._header["started_at"])),
            samples=len(self._samples),
            not_kept=self._trouble,
            gpus=tuple(_gpu(rank, self._samples) for rank in ranks),
            allreduce_gb_s=_spread([each["busbw_gb_s"] for each in sums]),
            allreduce_wrong=sum(not each["correct"] for each in sums),
            allreduce_missing=_first_trouble(sample["allreduce"] for sample in self._samples),
        )

    def _append(self, path: Path) -> None:
        with path.open("ab") as file:
            file.write(_lines(self._samples[-1]))

    def _keep(self, write: Callable[[Path], None]) -> None:
        """Write it down where that is wanted; what hinders it is told with the result."""
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            write(self._path)
        except OSError as error:
            self._trouble = f"{self._path}: {error.strerror}"


def _lines(*records: Record) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def _gpu(number: int, samples: Sequence[Record]) -> BurnInGpu:
    own = [rank for sample in samples for rank in sample["ranks"] if rank["rank"] == number]
    products = [rank["matmul"]["value"] for rank in own if "value" in rank["matmul"]]
    uuid = own[-1]["uuid"]
    seen = [from_plain(Sampled, each) for sample in samples for each in sample["gpus"] if each["uuid"] == uuid]
    shares: dict[str, float] = {}
    for each in seen:
        for bit, share in (each.event_reasons.value if each.event_reasons.is_known else {}).items():
            shares[bit] = max(share, shares.get(bit, 0.0))
    return BurnInGpu(
        rank=number,
        uuid=uuid,
        tflops=_spread([product["tflops"] for product in products]),
        wrong=sum(not product["correct"] for product in products),
        missing=_first_trouble(rank["matmul"] for rank in own),
        temperature_c=_widest([each.temperature_c for each in seen]),
        power_w=_widest([each.power_w for each in seen]),
        clock_mhz=_widest([each.clock_mhz for each in seen]),
        event_reasons=Reading.of(shares) if any(each.event_reasons.is_known for each in seen) else Reading.unsupported(_NONE),
    )


def _spread(values: Sequence[float]) -> Reading[Spread]:
    return Reading.of(Spread(min(values), statistics.median(values), max(values))) if values else Reading.unsupported(_NONE)


def _widest(spreads: Sequence[Reading[Spread]]) -> Reading[Spread]:
    told = [each.value for each in spreads if each.is_known]
    if not told:
        return Reading.unsupported(_NONE)
    return Reading.of(Spread(min(e.low for e in told), statistics.median(e.median for e in told), max(e.high for e in told)))


def _first_trouble(answers: Any) -> str:
    return next((str(answer["unreadable"]) for answer in answers if "unreadable" in answer), "")


def _read(path: Path) -> tuple[Record, list[Record]] | None:
    """Read a record; None where there is none. What is no record is set aside, and a line that was cut off is left out."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("too large")  # noqa: TRY301 - it is set aside like anything else that is no record
        lines = path.read_text(encoding="utf-8").splitlines()
        header, *samples = [json.loads(line) for line in lines[:1]] + [line for line in map(_loaded, lines[1:]) if line is not None]
        if header["schema"] != _SCHEMA or not all(isinstance(header[key], (int, float)) for key in ("started_at", "asked_s")):
            raise ValueError("another schema")  # noqa: TRY301 - likewise
    except OSError:
        return None
    except (ValueError, KeyError, TypeError):
        with suppress(OSError):
            path.replace(path.with_name(path.name + ".foreign"))
        return None
    return header, samples


def _loaded(line: str) -> Record | None:
    try:
        sample = json.loads(line)
    except ValueError:
        return None
    whole = isinstance(sample, Mapping) and {"seconds", "ranks", "allreduce", "gpus"} <= sample.keys()
    return dict(sample) if whole else None
