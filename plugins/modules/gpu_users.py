#!/usr/bin/python
# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_users
short_description: Wait until nobody uses the GPUs of a node
version_added: 0.1.0
description:
  - Looks which processes have a device node of the GPUs open (C(/dev/nvidia*)), and waits until none has. Whoever has one keeps the
    driver's module from being unloaded.
  - It asks the kernel, not the driver, so that it answers also where the driver hangs. Run it as root, to see everybody's processes.
  - It ends nobody's process unless O(end) says so.
options:
  wait_s:
    description: How long to wait, in seconds.
    type: float
    default: 0
  but_not:
    description: Names of processes that do not count, such as those of services that are stopped afterwards.
    type: list
    elements: str
    default: []
  end:
    description: Whether to end who still uses a GPU then, first with SIGTERM, and after O(end_s) with SIGKILL.
    type: bool
    default: false
  end_s:
    description: How long a process has to end by itself once it is told to, in seconds.
    type: float
    default: 30
attributes:
  check_mode:
    description: It looks once, and ends nobody.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
author:
  - The GPU fleet toolkit authors (@gpu-fleet)
"""

EXAMPLES = r"""
- name: Wait up to an hour for jobs to end
  gpu.fleet.gpu_users:
    wait_s: 3600
    but_not: [nvidia-persistenced]
"""

RETURN = r"""
users:
  description: The processes that used a GPU at the last look.
  returned: always
  type: list
  elements: dict
  sample: [{pid: 4711, name: python, user: alice, nodes: [/dev/nvidia0, /dev/nvidiactl]}]
waited_s:
  description: How long it waited, in seconds.
  returned: always
  type: float
  sample: 12.0
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpu.fleet.plugins.module_utils.observe.gpu_users import GpuUser, gpu_users

OPTIONS = {
    "wait_s": {"type": "float", "default": 0},
    "but_not": {"type": "list", "elements": "str", "default": []},
    "end": {"type": "bool", "default": False},
    "end_s": {"type": "float", "default": 30},
}
_LOOK_S = 1.0
_NAMED = 8
_KERNEL_NAME = 15  # characters that the kernel keeps of a process's name


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    given = module.params
    aside = {name[:_KERNEL_NAME] for name in given["but_not"]}

    def look() -> list[GpuUser]:
        return [each for each in gpu_users() if each.name not in aside and each.pid != os.getpid()]

    began = time.monotonic()
    users = _wait(look, 0 if module.check_mode else given["wait_s"])
    ended = bool(users) and given["end"] and not module.check_mode
    for number, seconds in ((signal.SIGTERM, given["end_s"]), (signal.SIGKILL, _LOOK_S)) if ended else ():
        for each in users:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each.pid, number)
        users = _wait(look, seconds)
    told = {"users": [asdict(each) for each in users], "waited_s": round(time.monotonic() - began, 1), "changed": ended}
    if users:
        more = f" and {len(users) - _NAMED} more" if len(users) > _NAMED else ""
        module.fail_json(
            msg=f"found the GPUs in use by process {'; '.join(map(str, users[:_NAMED]))}{more} after {told['waited_s']:.0f} s, expected "
            "nobody: have the jobs end (drain the node in the scheduler), then run again",
            **told,
        )
    module.exit_json(**told)


def _wait(look: Callable[[], list[GpuUser]], seconds: float) -> list[GpuUser]:
    """Look until nobody is left, or the time is over; return who is left."""
    until = time.monotonic() + seconds
    while (users := look()) and time.monotonic() < until:
        time.sleep(min(_LOOK_S, max(0.0, until - time.monotonic())))
    return users


if __name__ == "__main__":
    main()
