"""The node's own command: the passive check as Nagios and Slurm ask for it, one line and an exit status, and a file for Prometheus.

Exit status: 0 ready, 1 degraded, 2 not_ready, 3 unknown. Whatever goes wrong is 3.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn
from zipimport import zipimporter

from ansible_collections.gpu.fleet.plugins.module_utils import command_settings, prometheus, whole_file
from ansible_collections.gpu.fleet.plugins.module_utils import expectation as expectations
from ansible_collections.gpu.fleet.plugins.module_utils.command_settings import Settings
from ansible_collections.gpu.fleet.plugins.module_utils.finding import ERROR, FAIL, PASS, SKIP
from ansible_collections.gpu.fleet.plugins.module_utils.readiness import PASSIVE, Memory, Request, measure
from ansible_collections.gpu.fleet.plugins.module_utils.tables import TABLES, Tables, load
from ansible_collections.gpu.fleet.plugins.module_utils.verdict import DEGRADED, NOT_READY, READY, UNKNOWN

EXIT = {READY: 0, DEGRADED: 1, NOT_READY: 2, UNKNOWN: 3}
_GRACE_S = 10.0


class OverdueError(Exception):
    """The check did not end in time, although each of its parts has a deadline."""


def main(arguments: Sequence[str]) -> int:
    """Run the command; the exit status is the verdict's."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a locale that lacks a letter is no reason to fail
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.help:
        parser.print_help()
        return 0
    settings = Settings()
    try:
        settings = command_settings.read(Path(given.settings))
        readiness = _measured(settings, given)
    except Exception as error:  # noqa: BLE001 - whatever it was, the verdict is unknown
        status, textfile = EXIT[UNKNOWN], prometheus.no_measurement(time.time())
        text = f"GPU UNKNOWN: {_line(str(error) or type(error).__name__)}"
    else:
        status, textfile = EXIT[readiness["verdict"]], prometheus.textfile(readiness, time.time())
        text = json.dumps(readiness) if given.json else "\n".join(summary(readiness))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
    _publish(given.prometheus or settings.prometheus, textfile)
    return status


def summary(readiness: Mapping[str, Any]) -> list[str]:
    """Say the verdict in one line, and below it every finding that is not good."""
    findings = readiness["findings"]
    counts = ", ".join(
        f"{count} {status}" for status in (PASS, FAIL, ERROR, SKIP) if (count := sum(one["status"] == status for one in findings))
    )
    # What would kill a job is said first: Slurm and Nagios show one line.
    bad = sorted(
        (one for one in findings if one["status"] not in (PASS, SKIP)), key=lambda one: (not one["kills_job"], one["status"] != FAIL)
    )
    told = [f"{one['check']} of {one['subject']['kind']} {one['subject']['id']}: {one['message']}" for one in bad]
    more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
    word = str(readiness["verdict"]).upper()
    return [_line(f"GPU {word}: {told[0] if told else f'findings: {counts}'}{more}"), *(_line(f"- {text}") for text in told)]


def _measured(settings: Settings, given: argparse.Namespace) -> dict[str, Any]:
    signal.signal(signal.SIGALRM, _overdue)
    signal.setitimer(signal.ITIMER_REAL, settings.timeout_s + _GRACE_S)
    tables = _tables()
    expectations.check_against(settings.expectation, tables)
    path = Path(settings.history) if settings.history else None
    memory = Memory(path, settings.flap_window_s, keep=not given.check, recovered=given.recovered)
    return measure(Request(PASSIVE, "", "", settings.timeout_s, settings.expectation, memory), _bindings, tables)


def _publish(path: str, textfile: str) -> None:
    """Write for Prometheus. A verdict is none the worse where that fails: the time in the old file tells."""
    try:
        if path:
            whole_file.write(Path(path), textfile.encode())
    except OSError as error:
        sys.stderr.write(f"{error.filename or path}: {error.strerror}\n")


def _overdue(_signal: int, _frame: object) -> NoReturn:
    raise OverdueError("the check did not end in time, expected that each part keeps its deadline: look for processes in state D")


def _bindings() -> Any:
    import pynvml  # noqa: PLC0415 - only the child that asks NVML needs it

    return pynvml


def _tables() -> Tables:
    archive = zipimporter(sys.path[0])
    return load(*(archive.get_data(name).decode("utf-8") for name in TABLES))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gpu-fleet-readiness",
        add_help=False,  # it would end the program, and nothing but a verdict ends it well
        description="Check this node's GPUs. Exit status: 0 ready, 1 degraded, 2 not_ready, 3 unknown, or no check was made.",
    )
    parser.add_argument(
        "--settings", default=command_settings.PATH, help="what the node should be, as JSON (default %(default)s, if it exists)"
    )
    parser.add_argument("--prometheus", metavar="FILE", help="also write the result for the node exporter's textfile collector")
    parser.add_argument("--json", action="store_true", help="print everything that was found, as JSON")
    parser.add_argument("--check", action="store_true", help="do not add this check to the node's history")
    parser.add_argument("--help", action="store_true", help="explain")
    parser.add_argument("--recovered", action="store_true", help="what failed before has been repaired, and counts no more")
    return parser


def _line(text: str) -> str:
    """Make it one line; Nagios takes what follows a bar for figures."""
    return " ".join(text.split()).replace("|", "/")
