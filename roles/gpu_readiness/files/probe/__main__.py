"""Measures the GPUs of one node with plain PyTorch: `python3 probe --level standard`. Prints one line of JSON, and on stderr what it does.

One process per GPU, forked after `import torch` and before CUDA starts: a launcher such as torchrun would import it once for each.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from typing import NoReturn

from measurement import Measurement
from plan import LEVELS, STANDARD
from workers import end_with_stdin

_RESERVE_S = 2.0


class StoppedError(Exception):
    """Somebody wants this to end; what was measured is told."""


def main() -> None:
    """Measure and print."""
    start = time.monotonic()
    parser = argparse.ArgumentParser(prog="probe", description="Measures the GPUs of one node.")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="what to measure (default cuda)")
    parser.add_argument("--level", choices=LEVELS, default=STANDARD, help="how thoroughly (default standard, about a minute)")
    parser.add_argument(
        "--seconds", type=float, default=300.0, help="the time after which whatever still runs counts as hanging (default 300)"
    )
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
    measurement = Measurement(torch, options.level, start + options.seconds - _RESERVE_S, start)
    stopped_by = ""
    try:
        measurement.run(options.device)
    except StoppedError as stopped:
        stopped_by = f"stopped by {stopped}"
    finally:
        measurement.finish(stopped_by)
        if watcher:
            watcher.end()
    sys.stdout.write(json.dumps(measurement.result()) + "\n")


def _stop(number: int, _frame: object) -> NoReturn:
    for wish in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(wish, signal.SIG_IGN)  # once is enough: nothing disturbs the end
    raise StoppedError(signal.Signals(number).name)


if __name__ == "__main__":
    main()
