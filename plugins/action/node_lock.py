"""Says on whose behalf a node is locked, and knows of a former run on this controller whether it is gone."""

from __future__ import annotations

import os
import pwd
import socket
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.gpu.fleet.plugins.module_utils.node_lock import Holder, controller, is_gone, started


class ActionModule(ActionBase):
    """Take the lock, also from a run of this controller that is gone; say who holds it where that is somebody else."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the node, and judge its answer."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        owner = f"{_user()}@{socket.gethostname()}"
        process = os.getppid()  # tasks run in children of the one that is the run
        run = {"owner": owner, "process": process, "controller": controller(), "started": started(process)}
        arguments = {**self._task.args, "_run": run}
        told = self._execute_module(module_args=arguments, task_vars=task_vars)
        holder = told.get("holder")
        if holder and not told["mine"] and is_gone(Holder(**holder), owner):
            told = self._execute_module(module_args={**arguments, "_gone": holder}, task_vars=task_vars)
            holder = told.get("holder")
        if holder and not told["mine"]:
            path = self._task.args.get("path", "/var/lib/gpu-fleet/lock")
            # Returned and not raised, so that `until` can wait for it.
            told["failed"] = True
            told["msg"] = (
                f"found this node locked by {holder['owner']} (process {holder['process']} there) since {holder['since']} for "
                f"{holder['purpose']}, expected nobody: wait for that run to end; if it is gone for good, which cannot be known here, run "
                f"`sudo rm {path}` on {(task_vars or {}).get('inventory_hostname', 'the node')}, then run again"
            )
        result.update(told)
        return result


def _user() -> str:
    """Name the user, who in a container may have a number only."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
