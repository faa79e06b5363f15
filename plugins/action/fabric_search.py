"""Follows a search across nodes from the controller, and prints what it says as it says it."""

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

_LOOK_S = 1.0


class ActionModule(ActionBase):
    """Look again and again; each look renews the lease of the search."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Follow, or do the one thing that is asked for."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        if self._task.args.get("state", "followed") != "followed":
            result.update(self._execute_module(task_vars=task_vars))
            return result
        limit = float(self._task.args.get("timeout_s", 600))
        until, shown = time.monotonic() + limit, 0
        while True:
            seen = self._execute_module(module_args={**self._task.args, "state": "renewed"}, task_vars=task_vars)
            if seen.get("failed") or seen.get("unreachable"):
                result.update(seen)
                return result
            for line in seen["lines"][shown:]:
                Display().display(f"  fabric: {line}")
            shown = len(seen["lines"])
            if seen["ended"]:
                result.update(changed=False, lines=seen["lines"], ended=True)
                return result
            if time.monotonic() > until:
                raise AnsibleActionFail(
                    f"the search has not ended within {limit:.0f} s, expected it to end by itself: see what its node does"
                )
            time.sleep(_LOOK_S)
