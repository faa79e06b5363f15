"""Asks the kernel whether its clock is synchronised. It knows from whoever disciplines it; no tool is needed."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable

from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import Clock
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

_UNSYNCHRONISED = 0x40  # STA_UNSYNC
_REST_OF_TIMEX = 256  # more than any system's C library has after the fields that are read here


class Timex(ctypes.Structure):
    """The beginning of the kernel's struct timex, see adjtimex(2)."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("largest_error", ctypes.c_long),
        ("estimated_error", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * _REST_OF_TIMEX),
    )


def _adjtimex(timex: Timex) -> None:
    """Fill in the structure; with no modes set, nothing is changed. Raises OSError."""
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def observe(ask: Callable[[Timex], None] = _adjtimex) -> Reading[Clock]:
    """Read the clock's state."""
    timex = Timex()
    try:
        ask(timex)
    except (OSError, AttributeError) as error:
        return Reading.unreadable(f"adjtimex: {error}")
    return Reading.of(Clock(synchronised=not timex.status & _UNSYNCHRONISED, largest_error_us=timex.largest_error))
