"""Brings the agent from the controller to the node."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.gpu.fleet.plugins.module_utils import kit, tables

_FILES = Path(__file__).resolve().parents[2] / "roles" / "gpu_readiness" / "files"


@cache
def _kit() -> str:
    try:
        return kit.pack(kit.bindings_file(), _FILES / tables.GPU_TABLE, _FILES / tables.XID_TABLE, _FILES / "probe")
    except FileNotFoundError as error:
        raise AnsibleError(f"{error.filename}: {error.strerror}") from None


class ActionModule(ActionBase):
    """Run the module with its kit, and without waiting for it where the task says so."""

    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Pack, start."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = {**self._task.args, "_kit": _kit()}
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=bool(self._task.async_val)))
        return result
