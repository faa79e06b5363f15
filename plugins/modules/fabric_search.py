#!/usr/bin/python
# Copyright: the GPU fleet toolkit authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: fabric_search
short_description: Follow a measurement across nodes
version_added: 0.1.0
description:
  - Follows the search that M(gpu.fleet.fabric_agent) leads on the node where all meet, prints a line for each of its rounds, and returns
    once it has ended. Run it there.
  - As long as it runs, the search is wanted. When it is interrupted, the search ends by itself, and with it all agents.
options:
  token:
    description: What the run is called, as M(gpu.fleet.fabric_agent) was told.
    type: str
    required: true
  state:
    description:
      - V(followed) waits for its end, V(renewed) looks once, and says that it is still wanted.
      - V(absent) has the agent of a node end, whichever node that is, waits for it, and leaves nothing of it behind.
    type: str
    choices: [followed, renewed, absent]
    default: followed
  timeout_s:
    description: How long to follow, or to wait for its end, in seconds.
    type: float
    default: 600
attributes:
  check_mode:
    description: There is nothing to follow in check mode.
    support: none
  diff_mode:
    description: There is nothing to show.
    support: none
seealso:
  - module: gpu.fleet.fabric_agent
author:
  - The GPU fleet toolkit authors (@gpu-fleet)
"""

EXAMPLES = r"""
- name: Follow the search
  gpu.fleet.fabric_search:
    token: "{{ token }}"
  run_once: true
  delegate_to: "{{ ansible_play_hosts[0] }}"
"""

RETURN = r"""
lines:
  description: A line for each round so far.
  returned: success
  type: list
  elements: str
  sample: ["4 of 4 nodes have met at 10.0.0.1:29500", "round 0 (all nodes): 1 groups, 440.2 to 440.2 GB/s"]
ended:
  description: Whether it has ended.
  returned: success
  type: bool
  sample: true
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpu.fleet.plugins.module_utils.fabric.status import Status

OPTIONS = {
    "token": {"type": "str", "required": True, "no_log": False},
    "state": {"type": "str", "choices": ["followed", "renewed", "absent"], "default": "followed"},
    "timeout_s": {"type": "float", "default": 600},
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=False)
    status = Status(module.params["token"])
    if module.params["state"] == "absent":
        status.withdraw(module.params["timeout_s"])
        module.exit_json(changed=False, lines=[], ended=True)
    status.renew()
    module.exit_json(changed=False, **status.read())


if __name__ == "__main__":
    main()
