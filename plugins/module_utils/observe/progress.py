"""What the probe is doing, in a file on the node for who waits: `tail -f /run/gpu-fleet/progress`."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

FILE = "run/gpu-fleet/progress"

_MARK = "probe: "  # so begin the lines that the probe writes for people


class Progress:
    """The file of one run. Where it cannot be written, as without root, there is none: it is worth no finding."""

    def __init__(self, root: Path) -> None:
        """Name it."""
        self._file = root / FILE

    def begin(self, level: str) -> None:
        """Start anew: what an earlier run wrote goes."""
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            self._file.write_text("", encoding="utf-8")
        self.note(f"level {level}")

    def heed(self, line: str) -> None:
        """Take a line of the probe; what its libraries write there is none of progress."""
        if line.startswith(_MARK):
            self.note(line[len(_MARK) :])

    def note(self, text: str) -> None:
        """Write a line, with the time."""
        with contextlib.suppress(OSError), self._file.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}\n")
