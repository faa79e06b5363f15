"""`nvidia-container-runtime`: runc, with the GPUs that NVIDIA_VISIBLE_DEVICES names added to the container's configuration."""

from __future__ import annotations

import json
import os
import shutil
import sys
from datetime import datetime, timezone
from pathlib import Path

from . import nvml, oci, spec

LOW_LEVEL = ("runc", "crun")
# GPUs can be asked for by any of these names.
STRATEGIES = ("index", "uuid")


def main(arguments: list[str]) -> int:
    runtime = next(filter(None, map(shutil.which, LOW_LEVEL)), None)
    if runtime is None:
        return _fail(arguments, f"no low-level runtime found: looked for {', '.join(LOW_LEVEL)} in PATH")
    if "create" in arguments:
        try:
            add_gpus(Path(option(arguments, "--bundle", "-b") or ".") / "config.json")
        except (nvml.NvmlError, oci.UnknownDeviceError, OSError) as error:
            return _fail(arguments, f"failed to construct OCI spec modifier: {error}")
    os.execv(runtime, [runtime, *arguments])
    return 1


def add_gpus(path: Path) -> None:
    """Edit a bundle's config.json in place."""
    config = json.loads(path.read_text(encoding="utf-8"))
    names = oci.requested(config)
    if names is None:
        return
    config = oci.apply(config, spec.generate(STRATEGIES, skip_lost=True), names)
    path.write_text(json.dumps(config), encoding="utf-8")


def option(arguments: list[str], *names: str) -> str | None:
    """The value of an option in either form, `--name VALUE` or `--name=VALUE`."""
    for position, argument in enumerate(arguments):
        name, separator, value = argument.partition("=")
        if name in names:
            return value if separator else next(iter(arguments[position + 1 :]), None)
    return None


def _fail(arguments: list[str], message: str) -> int:
    """The engine shows its user what stands in the log file that it asked for."""
    sys.stderr.write(f"{message}\n")
    log = option(arguments, "--log")
    if log:
        line = {"level": "error", "msg": message, "time": datetime.now(timezone.utc).isoformat()}
        with Path(log).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    return 1
