"""Packs the node's own command: the code that checks a node, NVML's bindings and the tables, in one file that Python runs."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.bindings import lean
from ansible_collections.gpu.fleet.plugins.module_utils.tables import GPU_TABLE, NVLINK_TABLE, XID_TABLE

_PACKAGE = "ansible_collections/gpu/fleet/plugins/module_utils"
_HERE = Path(__file__).resolve().parent
_LEFT_OUT = ("report", "compare", "driver")  # what the controller does with the results; the plan for the driver's packages
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same files make the same program
# Python's own exit status is 1 for an exception, which would say `degraded`, 2 for a wrong argument, and 120 where its output goes nowhere.
# Here all of them are 3, and what is said must have been heard before the status is a verdict's.
_MAIN = """\
import os
import sys

status, trouble = 3, ""
try:
    if sys.version_info < (3, 9):
        raise RuntimeError("found Python %d.%d, expected 3.9 or later" % sys.version_info[:2])
    from ansible_collections.gpu.fleet.plugins.module_utils.archive import compile_once

    compile_once()
    from ansible_collections.gpu.fleet.plugins.module_utils.command import main

    status = main(sys.argv[1:])
except SystemExit:
    trouble = "wrong arguments, see --help"
except BaseException as error:
    trouble = "%s: %s" % (type(error).__name__, error)
try:
    if trouble:
        sys.stdout.write("GPU UNKNOWN: %s\\n" % trouble)
    sys.stdout.flush()
except BaseException:
    status = 3
os._exit(status)
"""


def pack(interpreter: str, bindings: Path, gpu_table: Path, xid_table: Path) -> bytes:
    """Pack the program; it starts with the interpreter of the node, which reads nothing from the environment (-I)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _contents(bindings, gpu_table, xid_table):
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), content, zipfile.ZIP_DEFLATED)
    return f"#!{interpreter} -I\n".encode() + buffer.getvalue()


def _contents(bindings: Path, gpu_table: Path, xid_table: Path) -> Iterator[tuple[str, bytes]]:
    yield "__main__.py", _MAIN.encode()
    yield "pynvml.py", lean(bindings)
    yield GPU_TABLE, gpu_table.read_bytes()
    yield XID_TABLE, xid_table.read_bytes()
    yield NVLINK_TABLE, xid_table.with_name(NVLINK_TABLE).read_bytes()
    parts = _PACKAGE.split("/")
    for depth in range(1, len(parts) + 1):
        yield "/".join([*parts[:depth], "__init__.py"]), b""
    folders = set()
    for file in sorted(_HERE.rglob("*.py")):
        inside = file.relative_to(_HERE)
        if inside.parts[0] in _LEFT_OUT:
            continue
        yield f"{_PACKAGE}/{inside.as_posix()}", file.read_bytes()
        folders.add(inside.parent)
    for folder in sorted(folders - {Path()}):
        yield f"{_PACKAGE}/{folder.as_posix()}/__init__.py", b""
