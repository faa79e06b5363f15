"""The results on disk: the latest of each node, kept for runs that measure only some of them; every file is written whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import quote

from .node import Node, UnreadableError, from_record

NODES: Final = "nodes"  # the folder of the nodes' results
_LONGEST: Final = 150


def file_name(host: str) -> str:
    """Return the name of a host's file: the host's own where that is a safe name, and different for different hosts always."""
    safe = quote(host, safe=" @+,=").replace(".", "%2E", 1) if host.startswith(".") else quote(host, safe=" @+,=")
    if len(safe) > _LONGEST:
        safe = f"{safe[:_LONGEST]}~{hashlib.sha256(host.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
    return f"{safe}.json"


def load(directory: Path, host: str, *, set_aside: bool) -> tuple[Node | None, str]:
    """Return a node's stored result, or None, and a warning where a file was there and could not be read.

    A file that is not what this report writes is renamed to `*.unreadable` with `set_aside`.
    """
    path = directory / file_name(host)
    try:
        return from_record(host, json.loads(path.read_text(encoding="utf-8"))), ""
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        return None, f"{path}: {error.strerror}; expected a readable result of {host}: correct its permissions or remove it"
    except (UnreadableError, ValueError, RecursionError) as error:
        aside = path.with_name(f"{path.name}.unreadable")
        told = f"it is kept as {aside.name}" if set_aside else "it would be set aside"
        with contextlib.suppress(OSError):
            if set_aside:
                path.replace(aside)
        return None, f"{path}: {error}; {told}: measure the node again with --limit {host}"


def save(directory: Path, node: Node) -> None:
    """Store a node's result as its latest."""
    write(directory / file_name(node.name), [json.dumps(node.as_record(), ensure_ascii=True, separators=(",", ":"), default=str), "\n"])


def write(path: Path, parts: Iterable[str]) -> None:
    """Write a file so that a reader sees the old one or the new one, never half of one."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(parts)
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
