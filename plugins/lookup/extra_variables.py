"""Lookup of what was said with -e, which no other variable tells from what the inventory says."""

from __future__ import annotations

from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible.utils.vars import load_extra_vars

DOCUMENTATION = """
name: extra_variables
author: The GPU fleet toolkit authors
version_added: 0.1.0
short_description: The variables of the command line
description:
  - Returns the variables that were said with C(-e), and no others, even where Ansible has a variable of its own by such a name.
  - The values of those that are not asked for are C(null), so that no secret is handed on.
options:
  _terms:
    description: Names of the variables whose values are asked for.
    type: list
    elements: str
"""

EXAMPLES = """
- name: Say what was said
  ansible.builtin.debug:
    msg: "{{ query('gpu.fleet.extra_variables', 'name', 'gpus') | first }}"
"""

RETURN = """
_raw:
  description: One dictionary, values by name.
  type: list
  elements: dict
"""


class LookupModule(LookupBase):
    """Ansible's way to find the lookup."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        """Return the variables."""
        del variables, kwargs
        said = load_extra_vars(self._loader)
        return [{str(name): self._templar.template(value) if name in terms else None for name, value in said.items()}]
