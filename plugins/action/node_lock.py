"""Says on whose behalf a node is locked, and knows of a former run on this controller whether it is gone."""

from __future__ import annotations

import getpass
import os
import socket
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Take the lock, also from a run of this controller that is gone; say who holds it where that is somebody else."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the node, and judge its answer."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        owner = f"{getpass.getuser()}@{socket.gethostname()}"
        arguments = {**self._task.args, "_owner": owner, "_process": os.getppid()}  # tasks run in children of the one that is the run
        told = self._execute_module(module_args=arguments, task_vars=task_vars)
        holder = told.get("holder")
        if holder and not told["mine"] and holder["owner"] == owner and not _lives(holder["process"]):
            told = self._execute_module(module_args={**arguments, "_gone": holder}, task_vars=task_vars)
            holder = told.get("holder")
        if holder and not told["mine"]:
            path = self._task.args.get("path", "/var/lib/gpu-fleet/lock")
            raise AnsibleActionFail(
                f"found this node locked by {holder['owner']} (process {holder['process']} there) since {holder['since']} for "
                f"{holder['purpose']}, expected nobody: wait for that run to end; if it is gone for good, remove {path} on the node",
                result=told,
            )
        result.update(told)
        return result


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
