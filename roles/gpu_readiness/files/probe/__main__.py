"""Measures the GPUs of one node with plain PyTorch: `python3 probe --level standard`. Prints one line of JSON, and on stderr what it does.

A burn-in prints such a line for each of its samples, too, before the result.
One process per GPU, forked after `import torch` and before CUDA starts: a launcher such as torchrun would import it once for each.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from typing import Any, NoReturn

from measurement import BurnIn, Measurement
from plan import BURN_IN, LEVELS, STANDARD
from workers import end, end_with_stdin

_LIMIT_S, _RESERVE_S = 300.0, 2.0


class StoppedError(Exception):
    """Somebody wants this to end; what was measured is told."""


def main() -> None:
    """Measure and print."""
    start = time.monotonic()
    parser = argparse.ArgumentParser(prog="probe", description="Measures the GPUs of one node.")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="what to measure (default cuda)")
    parser.add_argument("--level", choices=LEVELS, default=STANDARD, help="how thoroughly (default standard, about a minute)")
    parser.add_argument(
        "--seconds", type=float, help="the time after which whatever still runs counts as hanging (default 300, and the burn-in)"
    )
    parser.add_argument("--burn-in-s", type=float, default=3600.0, help="how long level burn_in measures again and again (default 3600)")
    parser.add_argument("--period-s", type=float, default=30.0, help="how far its samples are apart (default 30)")
    parser.add_argument("--while-stdin", action="store_true", help="end when standard input is closed")
    options = parser.parse_args()
    # GPUs in NVML's order; collectives within this node need no network, and a container may have none.
    os.environ.update(CUDA_DEVICE_ORDER="PCI_BUS_ID", GLOO_SOCKET_IFNAME="lo", NCCL_SOCKET_IFNAME="lo", OMP_NUM_THREADS="1")
    for wish in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(wish, _stop)
    watcher = end_with_stdin() if options.while_stdin else None
    try:
        import torch  # noqa: PLC0415 - after the environment, and before the processes are forked
        import torch.distributed  # noqa: PLC0415 - likewise
    except ImportError as error:
        sys.exit(f"found no PyTorch for {sys.executable} ({error}), expected an image or a Python that has it")
    except StoppedError as stopped:
        sys.exit(f"stopped by {stopped} before anything was measured")
    burn_in = BurnIn(options.burn_in_s, options.period_s, _tell) if options.level == BURN_IN else None
    limit = options.seconds or _LIMIT_S + (burn_in.seconds if burn_in else 0)
    measurement = Measurement(torch, options.level, start + limit - _RESERVE_S, start)
    stopped_by = ""
    try:
        measurement.run(options.device, burn_in)
    except StoppedError as stopped:
        stopped_by = f"stopped by {stopped}"
    finally:
        measurement.finish(stopped_by)
        if watcher:
            end([watcher])
    sys.stdout.write(json.dumps(measurement.result()) + "\n")


def _tell(sample: dict[str, Any]) -> None:
    """Print a sample at once: whatever comes after it, it has been measured."""
    sys.stdout.write(json.dumps({"burn_in": sample}) + "\n")
    sys.stdout.flush()


def _stop(number: int, _frame: object) -> NoReturn:
    for wish in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(wish, signal.SIG_IGN)  # once is enough: nothing disturbs the end
    raise StoppedError(signal.Signals(number).name)


if __name__ == "__main__":
    main()
