"""Face of module_utils/fabric/attempt.py: what one attempt to measure across nodes says of each node."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.attempt import Attempt, conclude

SPEC: dict[str, dict[str, Any]] = {
    "nodes": {"type": "list", "elements": "str", "required": True},
    "where": {"type": "str", "required": True},
    "attempt": {"type": "int", "default": 0},
    "said": {"type": "dict", "required": True},
}


class ActionModule(ActionBase):
    """Conclude, on the controller, for all nodes at once."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return findings by node, and who tries again."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(argument_spec=SPEC)
        said = {name: (heard or {}).get("agent") or {} for name, heard in options["said"].items()}
        conclusion = conclude(Attempt(tuple(options["nodes"]), options["where"], options["attempt"], said))
        result.update(changed=False, findings=conclusion.findings, again=list(conclusion.again))
        return result
