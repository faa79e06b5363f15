"""Reads the file systems that containers live on: the image store, and shared memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.observation_system import FileSystem
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading


def shared_memory(root: Path) -> Reading[FileSystem]:
    """Read /dev/shm."""
    return _file_system(root, "/dev/shm")  # noqa: S108 - it is only looked at


def image_stores(root: Path, folders: Iterable[str]) -> Reading[tuple[FileSystem, ...]]:
    """Read what is below the folders that an engine keeps images in, as far as they exist."""
    readings = [_file_system(root, folder) for folder in folders]
    bad = next((reading for reading in readings if reading.is_unreadable), None)
    if bad:
        return Reading.unreadable(bad.why)
    found = tuple(reading.value for reading in readings if reading.is_known)
    return Reading.of(found) if found else Reading.unsupported("no container engine keeps images here")


def _file_system(root: Path, folder: str) -> Reading[FileSystem]:
    path = root / folder.lstrip("/")
    try:
        found = os.statvfs(path)
    except FileNotFoundError:
        return Reading.unsupported(f"{path} does not exist")
    except OSError as error:
        return Reading.unreadable(f"{path}: {error.strerror}")
    inodes: Reading[int] = Reading.of(found.f_favail) if found.f_files else Reading.unsupported("this file system makes inodes as needed")
    size, available = (blocks * found.f_frsize >> 20 for blocks in (found.f_blocks, found.f_bavail))
    return Reading.of(FileSystem(folder, size, available, inodes, bool(found.f_flag & os.ST_RDONLY)))
