"""What the probe measures and what is overhead: `python tests/benchmarks/probe.py --device cpu --level standard`.

Run it with a Python that has PyTorch. Overhead is whatever is not measuring: starting Python, importing PyTorch, starting CUDA, NCCL and
the processes. On a node with GPUs that is to be less than three tenths of level standard; on the CPU the measuring is kept short instead.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PROBE = Path(__file__).parents[2] / "roles" / "gpu_readiness" / "files" / "probe"


def seconds(command: list[str]) -> tuple[float, str]:
    """Run a command; return how long it took, and what it printed."""
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - began, done.stdout


def shares(result: dict[str, Any]) -> dict[str, float]:
    """Add up the seconds of each part of the measurement."""
    parts: dict[str, float] = {}
    for phase in result["phases"]:
        parts[phase["name"]] = parts.get(phase["name"], 0.0) + phase["ended"] - phase["began"]
    return parts


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Time the probe: what is measuring, what is overhead.")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--level", choices=("quick", "standard"), default="standard")
    parser.add_argument("--python", default=sys.executable, help="a Python with PyTorch (default this one)")
    parser.add_argument("--times", type=int, default=3, help="how often (default 3)")
    options = parser.parse_args()
    imports = statistics.median(seconds([options.python, "-c", "import torch, torch.distributed"])[0] for _ in range(options.times))
    command = [options.python, str(PROBE), "--device", options.device, "--level", options.level]
    runs = sorted((seconds(command) for _ in range(options.times)), key=lambda run: run[0])
    whole, output = runs[len(runs) // 2]
    result = json.loads(output.splitlines()[-1])
    measuring = result["measuring_s"]
    print(f"level {options.level} on {result['device']}, {len(result['ranks'])} processes, median of {options.times}: {whole:.1f} s")
    print(f"  measuring  {measuring:6.1f} s  {measuring / whole:4.0%}")
    for name, took in sorted(shares(result).items(), key=lambda item: -item[1]):
        print(f"    {name:12} {took:5.1f} s  {took / whole:4.0%}")
    print(f"  overhead   {whole - measuring:6.1f} s  {1 - measuring / whole:4.0%}")
    print(f"    importing PyTorch, alone: {imports:.1f} s, {imports / whole:.0%}; whole run / import: {whole / imports:.1f}")


if __name__ == "__main__":
    main()
