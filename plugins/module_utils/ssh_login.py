"""Tell whether settings of sshd would shut out a user, before they are in force."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def refusal(user: str, groups: Sequence[str], settings: Mapping[str, Any]) -> str:
    """Say why sshd would not let this user in, in the order in which it asks. Empty if it would.

    What follows an @ in a pattern is the client's address: it is taken to fit, since the proof is a new login.
    """
    if not user:
        return ""
    words = {key.lower(): str(value or "").split() for key, value in settings.items()}
    if user == "root" and words.get("permitrootlogin", [""])[:1] in (["no"], ["forced-commands-only"]):
        return f"Found PermitRootLogin {words['permitrootlogin'][0]}, and Ansible connects as root. Expected a login of root to be allowed."
    names = {"users": [user], "groups": list(groups)}
    for kind in ("users", "groups"):
        denied, allowed = words.get(f"deny{kind}", []), words.get(f"allow{kind}", [])
        whom = f"{user}, as whom Ansible connects" + (f" (groups {', '.join(groups) or 'none'})" if kind == "groups" else "")
        if any(_fits(pattern, name) for pattern in denied for name in names[kind]):
            return f"Found Deny{kind.capitalize()} {' '.join(denied)}, which shuts out {whom}. Expected it not to."
        if allowed and not any(_fits(pattern, name) for pattern in allowed for name in names[kind]):
            return f"Found Allow{kind.capitalize()} {' '.join(allowed)}, which shuts out {whom}. Expected it not to."
    return ""


def _fits(pattern: str, name: str) -> bool:
    """Fit a pattern of sshd_config: * is anything, ? is one character, all else is itself."""
    wild = {"*": ".*", "?": "."}
    return re.fullmatch("".join(wild.get(character, re.escape(character)) for character in pattern.partition("@")[0]), name) is not None
