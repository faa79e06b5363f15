"""Face of module_utils/variables.py: reads the roles' specifications and a node's variables, on the controller."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase
from ansible_collections.gpu.fleet.plugins.module_utils.variables import contradictions, options_of, unknown_variables, wrong_values

ROLES = Path(__file__).resolve().parents[2] / "roles"


@lru_cache
def _options(role: str) -> dict[str, Any]:
    return options_of(yaml.safe_load((ROLES / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")))


class ActionModule(ActionBase):
    """Checks the variables of the host that the task runs for."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the problems found; the task fails if there is one."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        roles = {role: _options(role) for role in self._task.args["roles"]}
        problems: list[str] = []
        for role, options in roles.items():
            problems += unknown_variables(role, set(variables), roles)
            values: dict[str, Any] = {}
            for name in options.keys() & variables.keys():
                try:
                    values[name] = self._templar.template(variables[name])
                except AnsibleUndefinedVariable:
                    continue  # It needs a fact that is gathered later; the role that uses it fails if it never comes.
                except AnsibleError as error:
                    problems.append(f"role {role}: the value of {name} cannot be templated: {error}")
            wrong = wrong_values(role, values, options)
            problems += wrong or contradictions(values)
        result.update(changed=False, problems=problems)
        if problems:
            result.update(failed=True, msg="; ".join(problems) + ". Nothing was changed: correct the inventory and run again.")
        return result
