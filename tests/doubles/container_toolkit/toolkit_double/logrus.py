"""Log lines as the real tool writes them: logrus, to standard error."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone


def say(level: str, message: str) -> None:
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    sys.stderr.write(f'time="{now}" level={level} msg={json.dumps(message, ensure_ascii=False)}\n')
