"""How a node imports from the archive that it was sent: each file is compiled once.

Python's own zipimport compiles a module twice, the first time only to tell the name of its file, and nothing of an archive is kept for the
next start: compiling is most of what a passive check costs.
"""

from __future__ import annotations

import sys
import zipimport


class Importer(zipimport.zipimporter):
    """Imports from an archive, and tells a module's file from the archive's list."""

    def get_filename(self, fullname: str) -> str:
        """Return the path of a module's file, as zipimport does."""
        path = f"{self.archive}/{self.prefix}{fullname.rpartition('.')[2]}"
        return f"{path}/__init__.py" if self.is_package(fullname) else f"{path}.py"


def compile_once() -> None:
    """Have whatever is imported from now on compiled once, where this code itself comes from an archive."""
    if isinstance(__spec__.loader, zipimport.zipimporter):
        sys.path_hooks.insert(0, Importer)
        sys.path_importer_cache.clear()
