"""What stops a plan for the driver, before anything on a node is changed."""

from __future__ import annotations

import re


class Refusal(ValueError):  # noqa: N818  a statement about what was asked rather than a programming error
    """Says what was found, what was expected, and the next step."""

    def __init__(self, found: str, expected: str, next_step: str) -> None:
        """Say it in the one form that all messages have, without the passwords of mirrors, since it is logged and in the report."""
        super().__init__(without_credentials(f"Found {found}. Expected {expected}. Next step: {next_step}."))


def without_credentials(text: str) -> str:
    """Take user and password out of addresses."""
    return re.sub(r"://[^/\s]*@", "://", text)
