"""Real Debian packages with nothing in them."""

from __future__ import annotations

import subprocess
from pathlib import Path


def build(folder: Path, name: str, version: str, depends: str = "") -> Path:
    """Build one into a folder, under the name that apt would give it."""
    root = folder.parent / f"{name}-root"
    (root / "DEBIAN").mkdir(parents=True)
    needs = f"Depends: {depends}\n" if depends else ""
    (root / "DEBIAN" / "control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: nobody\n{needs}Description: a\n package: of two lines\n"
    )
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}_{version.replace(':', '%3a')}_all.deb"
    subprocess.run(["dpkg-deb", "--build", root, file], check=True, capture_output=True)
    return file
