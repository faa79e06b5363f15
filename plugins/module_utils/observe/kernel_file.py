"""Reads a small file of the kernel's, such as one under /sys, as a reading."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading

T = TypeVar("T")


def read(path: Path, convert: Callable[[str], T], *, at_most: int = -1) -> Reading[T]:
    """Read the file (`at_most` so many characters of it) and convert its text; one that is not there is unsupported."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return Reading.of(convert(file.read(at_most).strip()))
    except (FileNotFoundError, NotADirectoryError):
        return Reading.unsupported(f"{path} does not exist")
    except OSError as error:
        return Reading.unreadable(f"{path}: {error.strerror}")
    except (ValueError, LookupError) as error:
        return Reading.unreadable(f"{path}: {error}")


def text(path: Path) -> Reading[str]:
    """Read the file's text."""
    return read(path, str)
