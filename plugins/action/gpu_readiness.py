"""Brings what the module gpu_readiness needs from the controller to the node, and refuses a bad expectation before that."""

from __future__ import annotations

import contextlib
import time
from functools import cache
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.validation import check_type_dict
from ansible.plugins.action import ActionBase
from ansible_collections.gpu.fleet.plugins.module_utils import expectation as expectations
from ansible_collections.gpu.fleet.plugins.module_utils import kit, tables
from ansible_collections.gpu.fleet.plugins.module_utils.compare import clock

_FILES = Path(__file__).resolve().parents[2] / "roles" / "gpu_readiness" / "files"
_OWN_TABLE = "gpu_readiness_reference_table"


@cache
def _tables(gpu_table: Path) -> tables.Tables:
    files = (gpu_table, _FILES / tables.XID_TABLE, _FILES / tables.NVLINK_TABLE)
    try:
        return tables.load(*(file.read_text(encoding="utf-8") for file in files), gpu_file=str(gpu_table))
    except OSError as error:
        raise AnsibleError(f"{_OWN_TABLE}: {error.filename}: {error.strerror}") from None


@cache
def _kit(gpu_table: Path) -> str:
    try:
        bindings = kit.bindings_file()
    except FileNotFoundError as error:
        raise AnsibleError(f"{error.filename}: {error.strerror}") from None
    return kit.pack(bindings, gpu_table, _FILES / tables.XID_TABLE, _FILES / "probe")


# Workers are forked from the process that loads this plugin first: packed here, the kit is packed once for a whole fleet.
with contextlib.suppress(AnsibleError, ValueError):
    _tables(_FILES / tables.GPU_TABLE)
    _kit(_FILES / tables.GPU_TABLE)


class ActionModule(ActionBase):
    """Run the module with its kit."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Validate, pack, run."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        own = self._templar.template((task_vars or {}).get(_OWN_TABLE) or "")
        table = Path(self._loader.path_dwim(own)) if own else _FILES / tables.GPU_TABLE
        try:
            expectation = expectations.parse(check_type_dict(self._task.args.get("expectation") or {}))
            expectations.check_against(expectation, _tables(table))
        except (TypeError, ValueError) as error:
            raise AnsibleActionFail(str(error)) from error
        asked = time.time()
        result.update(self._execute_module(module_args={**self._task.args, "_kit": _kit(table)}, task_vars=task_vars))
        observation = result.get("readiness", {}).get("observation")
        if observation:
            observation[clock.KEY] = clock.ahead(observation, asked, time.time())
        return result
