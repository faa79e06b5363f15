"""Written anew by build.sh for every package version."""

from __future__ import annotations

VERSION = "0.0.0"
