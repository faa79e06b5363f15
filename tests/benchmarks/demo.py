"""How long `make demo` takes from a fresh clone, and where the time goes: setting up, then by role and by task.

Run it where no sandbox is running (`make clean` first), as root:  .venv/bin/python tests/benchmarks/demo.py
It does what `make demo` does, step by step: setup.sh, playbooks/sandbox.yml, site.yml. The clone and all it made are removed at the end.
Seconds are wall-clock of this machine.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

from tally import Tally

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Run the demo once and print the tally."""
    with tempfile.TemporaryDirectory() as directory:
        clone = Path(directory) / "gpu-fleet"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        try:
            return demo(clone)
        finally:
            subprocess.run(["make", "--silent", "clean"], cwd=clone, check=True)


def demo(clone: Path) -> int:
    """Take the steps of `make demo` in a clone; return 0 when both playbooks succeed."""
    tally = Tally()
    started = time.monotonic()
    subprocess.run(["tests/sandbox/setup.sh"], cwd=clone, check=True)
    tally.total = tally.seconds["setup.sh: engine and environment"] = time.monotonic() - started
    statuses = [
        tally.run(clone, "playbooks/sandbox.yml", "inventories/sandbox", sandbox_nodes=2, sandbox_image="cpu"),
        tally.run(clone, "site.yml", "inventories/sandbox"),
    ]
    print(f"make demo: {', '.join(statuses)}, {tally.total:.1f} s")
    tally.print_seconds()
    return 0 if statuses == ["successful"] * 2 else 1


if __name__ == "__main__":
    raise SystemExit(main())
