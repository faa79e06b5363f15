#!/usr/bin/python
# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: node_lock
short_description: Have only one controller at a time work on a node
version_added: 0.1.0
description:
  - Takes or releases a lock that lies on the node, and says who holds it, on which controller, since when and for what.
  - It outlives reboots. The lock of a run that ended without releasing it is taken over by a later run of the same user on the same
    controller, which can see that the former is gone. The same controller is the same boot and namespace of processes, so that a container
    of the same name is another one. Nobody else's is ever taken over, however old it is, nor any by a controller without C(/proc).
options:
  state:
    description: V(held) takes the lock, V(free) releases it where this run holds it.
    type: str
    choices: [held, free]
    default: held
  purpose:
    description: For what, as others are told.
    type: str
    default: work on the node
  path:
    description: The file on the node.
    type: path
    default: /var/lib/gpu-fleet/lock
attributes:
  check_mode:
    description: It says who holds the lock, and takes none.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
author:
  - The GPU fleet toolkit authors (@gpu-fleet)
"""

EXAMPLES = r"""
- name: Keep other controllers away
  gpu.fleet.node_lock:
    purpose: upgrade of the driver to 570.148.08

- name: Let them
  gpu.fleet.node_lock:
    state: free
"""

RETURN = r"""
holder:
  description: Who held it before.
  returned: where it was held
  type: dict
  sample:
    owner: alice@admin1
    process: 4711
    purpose: upgrade of the driver to 570.148.08
    since: "2026-01-01T00:00:00Z"
    controller: 5d1c2e6a-7f1b-4a5e-9a4c-0d7f6f0b7c11 pid:[4026531836]
    started: "81215"
"""

import time
from dataclasses import asdict
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpu.fleet.plugins.module_utils import node_lock

OPTIONS = {
    "state": {"type": "str", "choices": ["held", "free"], "default": "held"},
    "purpose": {"type": "str", "default": "work on the node"},
    "path": {"type": "path", "default": "/var/lib/gpu-fleet/lock"},
}
# Not options: who asks, and who of the same controller is known to be gone; the action plugin says so.
RUN = {"_run": {"type": "dict"}, "_gone": {"type": "dict"}}


def main() -> None:
    module = AnsibleModule(argument_spec={**OPTIONS, **RUN}, supports_check_mode=True)
    given = module.params
    if not given["_run"]:
        module.fail_json(msg="found no owner, expected the one that the action plugin tells: call this module as gpu.fleet.node_lock")
    path = Path(given["path"])
    run = node_lock.Holder(purpose=given["purpose"], since=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **given["_run"])
    try:
        if given["state"] == "free":
            module.exit_json(changed=not module.check_mode and node_lock.release(path, run))
        gone = node_lock.Holder(**given["_gone"]) if given["_gone"] else None
        holder = node_lock.read(path) if module.check_mode else node_lock.take(path, run, gone)
    except (node_lock.ForeignLockError, OSError) as error:
        module.fail_json(msg=str(error))
    if holder:
        module.exit_json(changed=False, holder=asdict(holder), mine=holder.is_same_run(run))
    module.exit_json(changed=not module.check_mode)


if __name__ == "__main__":
    main()
