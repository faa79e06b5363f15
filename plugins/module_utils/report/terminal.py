"""Prints the table through Ansible's display, which knows whether there are colours and keeps the log free of them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from ansible import constants
from ansible.utils import color
from ansible.utils.display import Display

from .table import Line

CALLBACK: Final = "gpu.fleet.fleet_report"
# The colours in which Ansible itself says ok, changed, failed and warning.
_COLOURS: Final = {
    "ready": constants.COLOR_OK,
    "degraded": constants.COLOR_CHANGED,
    "not_ready": constants.COLOR_ERROR,
    "unknown": constants.COLOR_WARN,
    "notice": constants.COLOR_WARN,
}
_NO_TERMINAL: Final = 79  # what Ansible assumes where there is none, and the least it knows
_LOG_FILE: Final = 120


def show(lines: Iterable[Line]) -> None:
    """Print lines, each in the colour of its style."""
    display = Display()
    for text, style in lines:
        display.display(text, color=_COLOURS.get(style))


def width() -> int:
    """Return how wide lines may be: as the terminal, and wider where they go into a file."""
    if os.environ.get("COLUMNS", "").isdecimal():
        return max(40, int(os.environ["COLUMNS"]))
    columns = int(Display().columns)
    return columns if columns > _NO_TERMINAL or color.ANSIBLE_COLOR else _LOG_FILE


def shown_at_the_end() -> bool:
    """Say whether the callback is there to print the table after the recap."""
    return CALLBACK in constants.config.get_config_value("CALLBACKS_ENABLED")
