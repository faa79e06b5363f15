"""How many nodes get another driver at a time, wave after wave."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NUMBER = re.compile(r"[1-9][0-9]*")
_SHARE = re.compile(r"([1-9][0-9]?|100)%")


def checked(waves: Sequence[object]) -> Sequence[object]:
    """Return them as they are; raise ValueError where Ansible would take a mistake for all nodes at once, or stumble over it later."""
    for wave in waves:
        if not (_NUMBER.fullmatch(str(wave)) or _SHARE.fullmatch(str(wave))):
            raise ValueError(f'found wave {wave!r}, expected a number of nodes from 1 on, or a share of them from "1%" to "100%"')
    return waves
