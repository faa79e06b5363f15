"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# The same examples in every run, so that a change is judged by what it changed. What nobody has thought of yet is looked for with
# `pytest --hypothesis-profile explore`, which makes others each time, and keeps what it found until it is mended.
settings.register_profile("same", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile("same")
