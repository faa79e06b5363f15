"""Packs the node's own readiness command on the controller, and copies it to the node."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.gpu.fleet.plugins.module_utils import kit, program, tables

SPEC: dict[str, dict[str, Any]] = {
    "path": {"type": "str", "required": True},
    "interpreter": {"type": "str", "default": "/usr/bin/python3"},
    "reference_table": {"type": "str", "default": ""},
}
_FILES = Path(__file__).resolve().parents[2] / "roles" / "gpu_readiness" / "files"


class ActionModule(ActionBase):
    """Copies one file; whether it changed, what differs and check mode are the copy's."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Pack, copy, and have the node's Python start the new file before it takes the old one's place."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(argument_spec=SPEC)
        own = options["reference_table"]
        table = Path(self._loader.path_dwim(own)) if own else _FILES / tables.GPU_TABLE
        with tempfile.TemporaryDirectory(dir=constants.DEFAULT_LOCAL_TMP) as folder:
            packed = Path(folder) / "command"
            try:
                packed.write_bytes(program.pack(options["interpreter"], kit.bindings_file(), table, _FILES / tables.XID_TABLE))
            except OSError as error:
                raise AnsibleActionFail(
                    f"found {error.filename}: {error.strerror}, expected a file to pack: correct the option reference_table"
                ) from error
            task = self._task.copy()
            task.args = {"src": str(packed), "dest": options["path"], "mode": "0755", "validate": "%s --help"}
            copy = self._shared_loader_obj.action_loader.get(
                "ansible.legacy.copy",
                task=task,
                connection=self._connection,
                play_context=self._play_context,
                loader=self._loader,
                templar=self._templar,
                shared_loader_obj=self._shared_loader_obj,
            )
            result.update(copy.run(task_vars=task_vars))
        return result
