"""Prints the fleet's table as the last thing of a run, below the recap."""

from __future__ import annotations

from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible_collections.gpu.fleet.plugins.module_utils.report.terminal import CALLBACK, show

DOCUMENTATION = r"""
name: fleet_report
type: aggregate
short_description: Print the fleet's table at the end of a run
description:
  - Prints the table of M(gpu.fleet.fleet_report) below the recap of Ansible, where it is found. Without this plugin the module prints it
    as it runs.
requirements:
  - C(callbacks_enabled = gpu.fleet.fleet_report) in C(ansible.cfg), as the project's own has it.
author:
  - The GPU fleet toolkit authors
"""


class CallbackModule(CallbackBase):
    """Keeps the last report's table until the end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = CALLBACK
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        """Start without a table."""
        super().__init__()
        self._lines: list[tuple[str, str]] = []

    def v2_runner_on_ok(self, result: Any) -> None:
        """Keep the table of the report's task."""
        if result.task.action == CALLBACK:
            self._lines = [(text, style) for text, style in result.result.get("table", [])]

    def v2_playbook_on_stats(self, stats: Any) -> None:  # noqa: ARG002 - Ansible's signature
        """Print it."""
        show(self._lines)
